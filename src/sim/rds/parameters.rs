//! The cluster parameters of `aurora-mysql8.0`: more than a page of them, as DescribeDBClusterParameters lists them.
//!
//! The binary log's parameters are as the Aurora MySQL guide lists them; the others are there to be paged through, with
//! their real names and plausible attributes.

/// When a changed parameter applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApplyType {
    /// Only when the instance restarts.
    Static,
    /// At once, or at the next restart: as the request says.
    Dynamic,
}

impl ApplyType {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Who may set a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody with the permission.
    Modifiable,
    /// Nobody: `IsModifiable` is false.
    Fixed,
}

/// One parameter of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// The engine's value when the group sets none; empty when the API shows none.
    pub(super) default: &'static str,
    pub(super) apply_type: ApplyType,
    pub(super) access: Access,
    pub(super) data_type: &'static str,
    /// Comma-separated, or a range; empty when everything is allowed.
    pub(super) allowed: &'static str,
}

const fn parameter(
    name: &'static str,
    default: &'static str,
    apply_type: ApplyType,
    access: Access,
    data_type: &'static str,
    allowed: &'static str,
) -> Parameter {
    Parameter { name, default, apply_type, access, data_type, allowed }
}

const fn whole(name: &'static str, default: &'static str, allowed: &'static str) -> Parameter {
    parameter(name, default, ApplyType::Dynamic, Access::Modifiable, "integer", allowed)
}

const fn switch(name: &'static str, default: &'static str) -> Parameter {
    parameter(name, default, ApplyType::Dynamic, Access::Modifiable, "boolean", "0,1")
}

const fn text(name: &'static str) -> Parameter {
    parameter(name, "", ApplyType::Dynamic, Access::Modifiable, "string", "")
}

const fn at_start(name: &'static str, default: &'static str, data_type: &'static str, allowed: &'static str) -> Parameter {
    parameter(name, default, ApplyType::Static, Access::Modifiable, data_type, allowed)
}

const fn fixed(name: &'static str, default: &'static str, data_type: &'static str) -> Parameter {
    parameter(name, default, ApplyType::Static, Access::Fixed, data_type, "")
}

/// The parameter called `name`.
pub(super) fn named(name: &str) -> Option<&'static Parameter> {
    FAMILY.binary_search_by(|parameter| parameter.name.cmp(name)).ok().map(|index| &FAMILY[index])
}

impl Parameter {
    /// Whether `value` is one that AWS takes. Ranges are compared as numbers, lists as words.
    pub(super) fn takes(&self, value: &str) -> bool {
        if self.allowed.is_empty() {
            return true;
        }
        match (range_of(self.allowed), value.parse::<u64>()) {
            (Some((lowest, highest)), Ok(number)) => (lowest..=highest).contains(&number),
            (Some(_), Err(_)) => false,
            (None, _) => self.allowed.split(',').any(|word| word == value),
        }
    }
}

fn range_of(allowed: &str) -> Option<(u64, u64)> {
    let (lowest, highest) = allowed.split_once('-')?;
    Some((lowest.parse().ok()?, highest.parse().ok()?))
}

/// In the order of a listing: by name.
pub(super) const FAMILY: &[Parameter] = &[
    whole("aurora_binlog_replication_max_yield_seconds", "0", "0-36000"),
    at_start("aurora_enhanced_binlog", "0", "boolean", "0,1"),
    switch("aurora_in_memory_relaylog", "1"),
    switch("aurora_jemalloc_background_thread", "0"),
    text("aurora_load_from_s3_role"),
    text("aurora_ml_inference_role"),
    switch("aurora_parallel_query", "0"),
    whole("aurora_replica_read_consistency_ms", "", "0-60000"),
    text("aurora_select_into_s3_role"),
    text("authentication_kerberos_caseins_cmp"),
    whole("auto_increment_increment", "1", "1-65535"),
    whole("auto_increment_offset", "1", "1-65535"),
    switch("autocommit", "1"),
    text("aws_default_lambda_role"),
    text("aws_default_logs_role"),
    text("aws_default_s3_role"),
    text("aws_default_sagemaker_role"),
    fixed("basedir", "/rdsdbbin/oscar", "string"),
    fixed("bind_address", "", "string"),
    at_start("binlog_backup", "1", "boolean", "0,1"),
    whole("binlog_cache_size", "32768", "4096-16777216"),
    parameter("binlog_checksum", "", ApplyType::Dynamic, Access::Modifiable, "string", "NONE,CRC32"),
    whole("binlog_expire_logs_seconds", "", "0-4294967295"),
    at_start("binlog_format", "OFF", "string", "ROW,STATEMENT,MIXED,OFF"),
    whole("binlog_group_commit_sync_delay", "0", "0-1000000"),
    whole("binlog_max_flush_queue_time", "", "0-100000"),
    at_start("binlog_replication_globaldb", "1", "boolean", "0,1"),
    fixed("binlog_row_image", "FULL", "string"),
    parameter("binlog_row_metadata", "MINIMAL", ApplyType::Dynamic, Access::Modifiable, "string", "MINIMAL,FULL"),
    parameter("binlog_row_value_options", "", ApplyType::Dynamic, Access::Modifiable, "string", "PARTIAL_JSON"),
    switch("binlog_rows_query_log_events", "0"),
    whole("binlog_stmt_cache_size", "32768", "4096-16777216"),
    switch("binlog_transaction_compression", "0"),
    at_start("character-set-client-handshake", "1", "boolean", "0,1"),
    text("character_set_client"),
    text("character_set_connection"),
    text("character_set_database"),
    text("character_set_filesystem"),
    text("character_set_results"),
    text("character_set_server"),
    text("collation_connection"),
    text("collation_server"),
    whole("connect_timeout", "10", "2-31536000"),
    whole("cte_max_recursion_depth", "1000", "0-4294967295"),
    fixed("datadir", "/rdsdbdata/db", "string"),
    fixed("default_storage_engine", "InnoDB", "string"),
    text("default_time_zone"),
    whole("default_week_format", "0", "0-7"),
    whole("div_precision_increment", "4", "0-30"),
    switch("end_markers_in_json", "0"),
    at_start("enforce_gtid_consistency", "OFF", "string", "OFF,WARN,ON"),
    whole("eq_range_index_dive_limit", "200", "0-4294967295"),
    switch("event_scheduler", "1"),
    switch("explicit_defaults_for_timestamp", "1"),
    switch("foreign_key_checks", "1"),
    at_start("ft_max_word_len", "84", "integer", "10-84"),
    at_start("ft_min_word_len", "4", "integer", "1-84"),
    switch("general_log", "0"),
    fixed("general_log_file", "", "string"),
    whole("group_concat_max_len", "1024", "4-18446744073709551615"),
    at_start("gtid-mode", "OFF_PERMISSIVE", "string", "OFF,OFF_PERMISSIVE,ON_PERMISSIVE,ON"),
    text("init_connect"),
    switch("innodb_adaptive_hash_index", "0"),
    at_start("innodb_autoinc_lock_mode", "2", "integer", "0,1,2"),
    fixed("innodb_data_home_dir", "", "string"),
    switch("innodb_deadlock_detect", "1"),
    at_start("innodb_default_row_format", "DYNAMIC", "string", "DYNAMIC,COMPACT,REDUNDANT"),
    fixed("innodb_file_per_table", "1", "boolean"),
    fixed("innodb_flush_method", "O_DIRECT", "string"),
    at_start("innodb_ft_max_token_size", "84", "integer", "10-84"),
    at_start("innodb_ft_min_token_size", "3", "integer", "0-16"),
    whole("innodb_ft_result_cache_limit", "2000000000", "1000000-4294967295"),
    whole("innodb_lock_wait_timeout", "50", "1-1073741824"),
    at_start("innodb_numa_interleave", "0", "boolean", "0,1"),
    switch("innodb_optimize_fulltext_only", "0"),
    fixed("innodb_page_size", "16384", "integer"),
    switch("innodb_print_all_deadlocks", "0"),
    whole("innodb_purge_batch_size", "", "1-5000"),
    whole("innodb_purge_threads", "1", "1-32"),
    fixed("innodb_read_only", "", "boolean"),
    at_start("innodb_rollback_on_timeout", "0", "boolean", "0,1"),
    switch("innodb_stats_auto_recalc", "1"),
    switch("innodb_stats_persistent", "1"),
    whole("innodb_stats_persistent_sample_pages", "20", "1-1000000"),
    switch("innodb_strict_mode", "1"),
    whole("innodb_sync_array_size", "1", "1-1024"),
    switch("innodb_table_locks", "1"),
    whole("interactive_timeout", "28800", "1-31536000"),
    whole("join_buffer_size", "262144", "128-18446744073709547520"),
    fixed("large_pages", "", "boolean"),
    fixed("lc_messages_dir", "", "string"),
    text("lc_time_names"),
    fixed("license", "", "string"),
    switch("local_infile", "0"),
    whole("lock_wait_timeout", "31536000", "1-31536000"),
    fixed("locked_in_memory", "", "boolean"),
    fixed("log_bin", "", "string"),
    switch("log_bin_trust_function_creators", "0"),
    fixed("log_error", "", "string"),
    switch("log_queries_not_using_indexes", "0"),
    fixed("log_slave_updates", "1", "boolean"),
    switch("log_slow_admin_statements", "0"),
    whole("long_query_time", "10", "0-31536000"),
    at_start("lower_case_table_names", "0", "integer", "0,1"),
    whole("max_allowed_packet", "67108864", "1024-1073741824"),
    whole("max_connect_errors", "100", "1-9223372036854775807"),
    whole("max_connections", "", "1-16000"),
    whole("max_error_count", "1024", "0-65535"),
    whole("max_execution_time", "0", "0-4294967295"),
    whole("max_heap_table_size", "16777216", "16384-1844674407370954752"),
    whole("max_length_for_sort_data", "4096", "4-8388608"),
    whole("max_prepared_stmt_count", "16382", "0-1048576"),
    whole("max_sort_length", "1024", "4-8388608"),
    whole("max_user_connections", "0", "0-4294967295"),
    whole("net_buffer_length", "16384", "1024-1048576"),
    whole("net_read_timeout", "30", "1-31536000"),
    whole("net_retry_count", "10", "1-4294967295"),
    whole("net_write_timeout", "60", "1-31536000"),
    switch("offline_mode", "0"),
    switch("old_passwords", "0"),
    whole("optimizer_prune_level", "1", "0-1"),
    whole("optimizer_search_depth", "62", "0-62"),
    text("optimizer_switch"),
    text("optimizer_trace"),
    at_start("performance_schema", "0", "boolean", "0,1"),
    fixed("pid_file", "", "string"),
    fixed("plugin_dir", "", "string"),
    fixed("port", "3306", "integer"),
    whole("query_prealloc_size", "8192", "8192-18446744073709547520"),
    whole("read_buffer_size", "262144", "8200-2147479552"),
    switch("read_only", "0"),
    fixed("relay-log", "", "string"),
    whole("replica_net_timeout", "60", "1-31536000"),
    switch("require_secure_transport", "0"),
    fixed("secure_file_priv", "/tmp", "string"),
    at_start("server_audit_events_limit", "", "integer", "1-4294967295"),
    text("server_audit_excl_users"),
    text("server_audit_incl_users"),
    switch("server_audit_logging", "0"),
    switch("server_audit_logs_upload", "0"),
    fixed("server_id", "", "integer"),
    switch("show_compatibility_56", "0"),
    at_start("skip-show-database", "", "boolean", "0,1"),
    fixed("skip_external_locking", "", "boolean"),
    switch("slow_query_log", "0"),
    fixed("socket", "/tmp/mysql.sock", "string"),
    whole("sort_buffer_size", "262144", "32768-18446744073709547520"),
    text("sql_mode"),
    switch("sql_require_primary_key", "0"),
    text("ssl_cipher"),
    whole("table_definition_cache", "", "400-524288"),
    whole("table_open_cache", "", "1-524288"),
    whole("thread_cache_size", "", "0-16384"),
    whole("thread_stack", "", "131072-18446744073709547520"),
    text("time_zone"),
    at_start("tls_version", "TLSv1.2", "list", ""),
    whole("tmp_table_size", "16777216", "1024-18446744073709551615"),
    fixed("tmpdir", "/rdsdbdata/tmp", "string"),
    switch("unique_checks", "1"),
    fixed("version", "", "string"),
    whole("wait_timeout", "28800", "1-31536000"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_sorted_and_longer_than_a_page() {
        assert!(FAMILY.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(FAMILY.len() > 100, "{}", FAMILY.len());
    }

    #[test]
    fn the_row_image_and_the_log_itself_are_nobodys_to_set() {
        for name in ["binlog_row_image", "log_bin"] {
            assert_eq!(named(name).map(|parameter| parameter.access), Some(Access::Fixed), "{name}");
        }
        assert_eq!(named("binlog_format").map(|parameter| parameter.apply_type), Some(ApplyType::Static));
    }

    #[test]
    fn defaults_are_among_the_values_allowed() {
        for parameter in FAMILY.iter().filter(|parameter| !parameter.default.is_empty()) {
            assert!(parameter.takes(parameter.default), "{}", parameter.name);
        }
        assert!(!named("binlog_format").expect("known").takes("row"), "AWS's values are in capitals");
    }
}
