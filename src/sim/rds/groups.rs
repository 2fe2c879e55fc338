//! Cluster parameter groups: named sets of wishes, that clusters take up when their instances start.

use std::collections::BTreeMap;

use super::parameters::{self, Access, ApplyType, FAMILY, Parameter};
use super::{EffectiveBinlog, invalid_value};
use crate::database::LogForm;
use crate::names::ParameterGroupName;
use crate::sim::wire::xml::Xml;
use crate::sim::wire::{Parameters, ServiceError, query};

/// The only family that is modelled.
pub(super) const FAMILY_NAME: &str = "aurora-mysql8.0";
/// The group that clusters have when nobody chose one. Nobody can change it.
pub(super) const DEFAULT_GROUP: &str = "default.aurora-mysql8.0";
/// Parameters of one request (ModifyDBClusterParameterGroup).
const PARAMETERS_AT_MOST: usize = 20;
/// Groups of one account and region (unverified).
const GROUPS_AT_MOST: usize = 50;

/// One cluster parameter group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: ParameterGroupName,
    pub(super) description: String,
    /// What was set by hand: value and `ApplyMethod`.
    set: BTreeMap<String, (String, ApplyMethod)>,
}

/// When a request wants its change applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApplyMethod {
    Immediate,
    PendingReboot,
}

/// Whether a change waits for a reboot of the instances that use the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    AtOnce,
    Reboot,
}

impl Group {
    pub(super) fn new(name: &str, description: &str) -> Self {
        Self { name: ParameterGroupName::from(name), description: description.to_owned(), set: BTreeMap::new() }
    }

    fn value_of(&self, name: &str) -> &str {
        let set = self.set.get(name).map(|(value, _)| value.as_str());
        set.or_else(|| parameters::named(name).map(|parameter| parameter.default)).unwrap_or_default()
    }

    /// What a writer that starts now has. An unset checksum is the engine's CRC32, although the API shows nothing.
    pub(super) fn binlog(&self) -> EffectiveBinlog {
        let checksum = self.value_of("binlog_checksum");
        EffectiveBinlog {
            format: self.value_of("binlog_format").to_owned(),
            row_image: self.value_of("binlog_row_image").to_owned(),
            checksum: if checksum.is_empty() { "CRC32" } else { checksum }.to_owned(),
            form: if self.value_of("binlog_transaction_compression") == "1" { LogForm::Compressed } else { LogForm::Plain },
        }
    }

    fn write(&self, xml: &mut Xml) {
        xml.leaf("DBClusterParameterGroupName", &self.name);
        xml.leaf("DBParameterGroupFamily", FAMILY_NAME);
        xml.leaf("Description", &self.description);
        xml.leaf("DBClusterParameterGroupArn", format_args!("arn:aws:rds:eu-west-1:111122223333:cluster-pg:{}", self.name));
    }

    fn write_parameter(&self, parameter: &Parameter, xml: &mut Xml) {
        let set = self.set.get(parameter.name);
        let value = self.value_of(parameter.name);
        xml.leaf("ParameterName", parameter.name);
        xml.optional("ParameterValue", (!value.is_empty()).then_some(value));
        xml.leaf("Source", source_of(set.is_some(), parameter));
        xml.leaf("ApplyType", parameter.apply_type.word());
        xml.leaf("DataType", parameter.data_type);
        xml.optional("AllowedValues", (!parameter.allowed.is_empty()).then_some(parameter.allowed));
        xml.leaf("IsModifiable", parameter.access == Access::Modifiable);
        let method = set.map_or(ApplyMethod::PendingReboot, |(_, method)| *method);
        xml.leaf("ApplyMethod", if method == ApplyMethod::Immediate { "immediate" } else { "pending-reboot" });
        xml.list("SupportedEngineModes", "member", [()], |xml, ()| xml.raw("provisioned"));
    }
}

const fn source_of(is_set: bool, parameter: &Parameter) -> &'static str {
    match parameter.access {
        _ if is_set => "user",
        Access::Fixed => "system",
        Access::Modifiable => "engine-default",
    }
}

/// All groups of the account, by name.
#[derive(Debug)]
pub(super) struct Groups {
    by_name: BTreeMap<ParameterGroupName, Group>,
}

impl Groups {
    pub(super) fn new() -> Self {
        let default = Group::new(DEFAULT_GROUP, "Default cluster parameter group for aurora-mysql8.0");
        Self { by_name: BTreeMap::from([(default.name.clone(), default)]) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Group> {
        self.by_name.get(&ParameterGroupName(name.to_ascii_lowercase()))
    }

    /// The group as it is started with; a group that is not there starts as the engine's defaults.
    pub(super) fn binlog_of(&self, name: &ParameterGroupName) -> EffectiveBinlog {
        self.by_name.get(name).map_or_else(|| Group::new(DEFAULT_GROUP, "").binlog(), Group::binlog)
    }

    /// CreateDBClusterParameterGroup
    pub(super) fn create(&mut self, sent: &Parameters) -> Result<String, ServiceError> {
        let name = query::required(sent, "DBClusterParameterGroupName")?.to_ascii_lowercase();
        let family = query::required(sent, "DBParameterGroupFamily")?;
        let description = query::required(sent, "Description")?;
        check_name(&name)?;
        if family != FAMILY_NAME {
            return Err(invalid_value(format!("ParameterGroupFamily {family} is not a valid parameter group family")));
        }
        if self.get(&name).is_some() {
            let message = format!("Parameter group {name} already exists");
            return Err(ServiceError::refused("DBParameterGroupAlreadyExists", message));
        }
        if self.by_name.len() >= GROUPS_AT_MOST {
            return Err(ServiceError::refused("DBParameterGroupQuotaExceeded", "The quota of parameter groups is used up."));
        }
        let group = Group::new(&name, description);
        let answer = Xml::written(|xml| xml.node("DBClusterParameterGroup", |xml| group.write(xml)));
        self.by_name.insert(group.name.clone(), group);
        Ok(answer)
    }

    /// DescribeDBClusterParameterGroups
    pub(super) fn describe(&self, sent: &Parameters) -> Result<String, ServiceError> {
        refuse_filters(sent)?;
        let found: Vec<&Group> = match query::optional(sent, "DBClusterParameterGroupName") {
            Some(name) => vec![self.found(name)?],
            None => self.by_name.values().collect(),
        };
        let (shown, next) = page(sent)?.cut(&found);
        Ok(Xml::written(|xml| {
            xml.list("DBClusterParameterGroups", "DBClusterParameterGroup", shown, |xml, group| group.write(xml));
            xml.optional("Marker", next);
        }))
    }

    /// DescribeDBClusterParameters
    pub(super) fn describe_parameters(&self, sent: &Parameters) -> Result<String, ServiceError> {
        let group = self.found(query::required(sent, "DBClusterParameterGroupName")?)?;
        let source = query::optional(sent, "Source");
        if source.is_some_and(|source| !["user", "system", "engine-default"].contains(&source)) {
            return Err(invalid_value("Source must be one of: user, system, engine-default"));
        }
        let names = name_filter(sent)?;
        let wanted = |parameter: &&Parameter| {
            source.is_none_or(|source| source == source_of(group.set.contains_key(parameter.name), parameter))
                && (names.is_empty() || names.iter().any(|name| name == parameter.name))
        };
        let found: Vec<&Parameter> = FAMILY.iter().filter(wanted).collect();
        let (shown, next) = page(sent)?.cut(&found);
        Ok(Xml::written(|xml| {
            xml.list("Parameters", "Parameter", shown, |xml, parameter| group.write_parameter(parameter, xml));
            xml.optional("Marker", next);
        }))
    }

    /// ModifyDBClusterParameterGroup: all of the parameters, or none.
    pub(super) fn modify(&mut self, sent: &Parameters) -> Result<(ParameterGroupName, Takes, String), ServiceError> {
        let name = self.found(query::required(sent, "DBClusterParameterGroupName")?)?.name.clone();
        if name.as_str().starts_with("default.") {
            return Err(invalid_value(format!("Parameter group {name} is a default group and cannot be modified")));
        }
        let changes = changes_of(sent)?;
        let takes = if changes.iter().any(|(_, _, method)| *method == ApplyMethod::PendingReboot) {
            Takes::Reboot
        } else {
            Takes::AtOnce
        };
        if let Some(group) = self.by_name.get_mut(&name) {
            group.set.extend(changes.into_iter().map(|(parameter, value, method)| (parameter.name.to_owned(), (value, method))));
        }
        let answer = Xml::written(|xml| xml.leaf("DBClusterParameterGroupName", &name));
        Ok((name, takes, answer))
    }

    fn found(&self, name: &str) -> Result<&Group, ServiceError> {
        self.get(name).ok_or_else(|| {
            ServiceError::with_status(404, "DBParameterGroupNotFound", format!("DBClusterParameterGroup not found: {name}"))
        })
    }
}

fn changes_of(sent: &Parameters) -> Result<Vec<(&'static Parameter, String, ApplyMethod)>, ServiceError> {
    let items = query::items(sent, "Parameters.Parameter");
    if items.is_empty() {
        return Err(invalid_value("The parameter Parameters must be provided and must not be blank."));
    }
    if items.len() > PARAMETERS_AT_MOST {
        return Err(invalid_value(format!("A maximum of {PARAMETERS_AT_MOST} parameters can be modified in one request")));
    }
    items.iter().map(change_of).collect()
}

fn change_of(item: &Parameters) -> Result<(&'static Parameter, String, ApplyMethod), ServiceError> {
    let name = query::required(item, "ParameterName")?;
    let value = query::required(item, "ParameterValue")?;
    let parameter =
        parameters::named(name).ok_or_else(|| invalid_value(format!("Could not find parameter with name: {name}")))?;
    if parameter.access == Access::Fixed {
        return Err(invalid_value(format!("The parameter {name} cannot be modified.")));
    }
    let method = match query::required(item, "ApplyMethod")? {
        "immediate" => ApplyMethod::Immediate,
        "pending-reboot" => ApplyMethod::PendingReboot,
        other => return Err(invalid_value(format!("Invalid apply method: {other}"))),
    };
    if method == ApplyMethod::Immediate && parameter.apply_type == ApplyType::Static {
        let message = "cannot use immediate apply method for static parameter";
        return Err(ServiceError::refused("InvalidParameterCombination", message));
    }
    if !parameter.takes(value) {
        let message = format!("Invalid parameter value: {value} for: {name} allowed values are: {}", parameter.allowed);
        return Err(invalid_value(message));
    }
    Ok((parameter, value.to_owned(), method))
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if name.len() > 255 || !starts_well || !letters || name.ends_with('-') || name.contains("--") {
        return Err(invalid_value(format!("The parameter DBClusterParameterGroupName is not a valid identifier: {name}")));
    }
    Ok(())
}

fn name_filter(sent: &Parameters) -> Result<Vec<String>, ServiceError> {
    let mut names = Vec::new();
    for filter in query::items(sent, "Filters.Filter") {
        if query::required(&filter, "Name")? != "parameter-name" {
            return Err(invalid_value("Unrecognized filter name; parameter-name is the only one"));
        }
        names.extend(query::values(&filter, "Values.Value"));
    }
    Ok(names)
}

pub(super) fn refuse_filters(sent: &Parameters) -> Result<(), ServiceError> {
    if query::items(sent, "Filters.Filter").is_empty() { Ok(()) } else { Err(invalid_value("This operation takes no filters")) }
}

/// RDS's pages hold 20 to 100 things.
pub(super) fn page(sent: &Parameters) -> Result<query::Page, ServiceError> {
    query::Page::read(sent, "MaxRecords", 20, 100, invalid_value)
}
