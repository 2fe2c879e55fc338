//! Whether every value of one type fits into another.

/// What a type holds, compared with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Everything, and more.
    Wider,
    /// Not everything.
    Narrower,
    /// Something else.
    Other,
}

/// A type taken apart: `decimal(18,4) unsigned` is `decimal`, `18,4`, `unsigned`.
struct Parts<'a> {
    name: &'a str,
    arguments: &'a str,
    unsigned: bool,
}

impl<'a> Parts<'a> {
    fn of(printed: &'a str) -> Self {
        let unsigned = printed.contains(" unsigned");
        let (name, rest) = printed.split_once('(').unwrap_or((printed, ""));
        let name = name.split(' ').next().unwrap_or(name);
        Self { name, arguments: rest.rsplit_once(')').map_or("", |(arguments, _)| arguments), unsigned }
    }

    fn number(&self, at: usize) -> Option<u64> {
        self.arguments.split(',').nth(at)?.trim().parse().ok()
    }
}

/// How what `target` holds compares with what `legacy` holds. Both are as a structure has them, and differ.
pub(super) fn fit(legacy: &str, target: &str) -> Fit {
    let (legacy, target) = (Parts::of(legacy), Parts::of(target));
    let holds = integers(&legacy, &target)
        .or_else(|| decimals(&legacy, &target))
        .or_else(|| lengths(&legacy, &target))
        .or_else(|| words(&legacy, &target))
        .or_else(|| moments(&legacy, &target));
    match holds {
        Some(true) => Fit::Wider,
        Some(false) => Fit::Narrower,
        None => Fit::Other,
    }
}

fn integers(legacy: &Parts<'_>, target: &Parts<'_>) -> Option<bool> {
    let range = |parts: &Parts<'_>| {
        let bits = match parts.name {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "int" => 32,
            "bigint" => 64,
            "bit" => parts.number(0)?,
            _ => return None,
        };
        let unsigned = parts.unsigned || parts.name == "bit";
        let values = 1_i128 << bits;
        Some(if unsigned { (0, values - 1) } else { (-values / 2, values / 2 - 1) })
    };
    if (legacy.name == "bit") != (target.name == "bit") {
        return None;
    }
    let ((low, high), (other_low, other_high)) = (range(legacy)?, range(target)?);
    Some(other_low <= low && other_high >= high)
}

/// Digits before and behind the point. A float holds less than a double, and neither what a decimal holds.
fn decimals(legacy: &Parts<'_>, target: &Parts<'_>) -> Option<bool> {
    let sign_fits = legacy.unsigned || !target.unsigned;
    match (legacy.name, target.name) {
        ("decimal", "decimal") => {
            let digits = |parts: &Parts<'_>| Some((parts.number(0)?.checked_sub(parts.number(1)?)?, parts.number(1)?));
            let ((before, behind), (other_before, other_behind)) = (digits(legacy)?, digits(target)?);
            Some(sign_fits && other_before >= before && other_behind >= behind)
        }
        ("float", "double") => Some(sign_fits),
        ("double", "float") => Some(false),
        _ => None,
    }
}

/// The most bytes of what the server measures in bytes.
fn bytes(name: &str) -> Option<u64> {
    match name {
        "tinytext" | "tinyblob" => Some(u64::from(u8::MAX)),
        "text" | "blob" => Some(u64::from(u16::MAX)),
        "mediumtext" | "mediumblob" => Some((1 << 24) - 1),
        "longtext" | "longblob" => Some(u64::from(u32::MAX)),
        _ => None,
    }
}

fn lengths(legacy: &Parts<'_>, target: &Parts<'_>) -> Option<bool> {
    // A character of utf8mb4 has up to four bytes.
    let (per_unit, varying) = match legacy.name {
        "char" | "varchar" => (4, "varchar"),
        "binary" | "varbinary" => (1, "varbinary"),
        _ if legacy.name.ends_with("text") == target.name.ends_with("text") => {
            return Some(bytes(target.name)? >= bytes(legacy.name)?);
        }
        _ => return None,
    };
    let longest = legacy.number(0)?;
    let is_text = legacy.name.ends_with("char");
    match target.name {
        // What is padded to its length comes back in another way than what is not.
        name if name == legacy.name && name == varying => Some(target.number(0)? >= longest),
        "char" if is_text && legacy.name == "char" => Some(target.number(0)? >= longest),
        name if name.ends_with("text") == is_text && legacy.name == varying => Some(bytes(name)? >= longest * per_unit),
        _ => None,
    }
}

/// A value of ENUM and SET is the number of its word: more words may come behind, and none in between.
fn words(legacy: &Parts<'_>, target: &Parts<'_>) -> Option<bool> {
    let same = legacy.name == target.name && matches!(legacy.name, "enum" | "set");
    same.then(|| target.arguments.strip_prefix(legacy.arguments).is_some_and(|more| more.is_empty() || more.starts_with(',')))
}

/// Fractions of a second: none is written as nothing.
fn moments(legacy: &Parts<'_>, target: &Parts<'_>) -> Option<bool> {
    let same = legacy.name == target.name && matches!(legacy.name, "datetime" | "timestamp" | "time");
    same.then(|| target.number(0).unwrap_or(0) >= legacy.number(0).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_type_holds_everything() {
        for (legacy, target) in [
            ("int", "bigint"),
            ("int unsigned", "bigint"),
            ("tinyint(1)", "tinyint"),
            ("decimal(10,2)", "decimal(18,4)"),
            ("decimal(10,2) unsigned", "decimal(10,2)"),
            ("float", "double"),
            ("varchar(64)", "varchar(100)"),
            ("varchar(64)", "text"),
            ("text", "longtext"),
            ("varbinary(16)", "blob"),
            ("enum('a','b')", "enum('a','b','c')"),
            ("datetime", "datetime(6)"),
            ("bit(4)", "bit(8)"),
        ] {
            assert_eq!(fit(legacy, target), Fit::Wider, "{legacy} into {target}");
        }
    }

    #[test]
    fn a_narrower_type_does_not() {
        for (legacy, target) in [
            ("bigint", "int"),
            ("bigint", "bigint unsigned"),
            ("bigint unsigned", "bigint"),
            ("decimal(18,4)", "decimal(18,2)"),
            ("decimal(18,2)", "decimal(18,4)"),
            ("double", "float"),
            ("varchar(64)", "varchar(63)"),
            ("varchar(100)", "tinytext"),
            ("longtext", "text"),
            ("enum('a','b')", "enum('b','a')"),
            ("enum('a','b')", "enum('a','bc')"),
            ("datetime(6)", "datetime"),
        ] {
            assert_eq!(fit(legacy, target), Fit::Narrower, "{legacy} into {target}");
        }
    }

    #[test]
    fn another_type_is_another_type() {
        for (legacy, target) in [
            ("datetime", "timestamp"),
            ("decimal(10,2)", "double"),
            ("varchar(64)", "varbinary(64)"),
            ("text", "blob"),
            ("char(3)", "varchar(3)"),
            ("binary(16)", "char(16)"),
            ("int", "varchar(20)"),
            ("json", "longtext"),
            ("bit(8)", "tinyint"),
            ("decimal(", "decimal(10"),
        ] {
            assert_eq!(fit(legacy, target), Fit::Other, "{legacy} into {target}");
        }
    }
}
