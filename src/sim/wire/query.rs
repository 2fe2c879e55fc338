//! The awsQuery protocol's parameters: lists as `Name.member.1`, structures as `Name.Field`.

use super::{Parameters, ServiceError};

/// The items of the list `prefix` (`Filters.Filter`), each with the parameters below it. Items count from 1 without a gap.
pub fn items(parameters: &Parameters, prefix: &str) -> Vec<Parameters> {
    (1..).map(|number| below(parameters, &format!("{prefix}.{number}."))).take_while(|item| !item.is_empty()).collect()
}

/// The values of the list of text `prefix` (`ListenerArns.member`).
pub fn values(parameters: &Parameters, prefix: &str) -> Vec<String> {
    (1..).map_while(|number| parameters.get(&format!("{prefix}.{number}")).cloned()).collect()
}

/// The parameters whose names start with `prefix`, without it.
pub fn below(parameters: &Parameters, prefix: &str) -> Parameters {
    parameters
        .range(prefix.to_owned()..)
        .map_while(|(name, value)| name.strip_prefix(prefix).map(|rest| (rest.to_owned(), value.clone())))
        .collect()
}

/// A parameter that must be there and not be empty.
pub fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, ServiceError> {
    optional(parameters, name)
        .ok_or_else(|| ServiceError::refused("MissingParameter", format!("The request must contain the parameter {name}.")))
}

/// A parameter that may be missing; an empty one counts as missing.
pub fn optional<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// Where a page starts and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    start: usize,
    length: usize,
}

impl Page {
    /// Reads `Marker` and the size parameter. A marker is the number of things already shown, in an opaque word.
    pub fn read(
        parameters: &Parameters,
        size_name: &str,
        shortest: usize,
        longest: usize,
        refuse: impl Fn(String) -> ServiceError,
    ) -> Result<Self, ServiceError> {
        let length = match optional(parameters, size_name) {
            None => longest,
            Some(text) => text.parse().ok().filter(|length| (shortest..=longest).contains(length)).ok_or_else(|| {
                refuse(format!("Invalid value {text} for {size_name}. Must be between {shortest} and {longest}."))
            })?,
        };
        let start = match optional(parameters, "Marker") {
            None => 0,
            Some(text) => text
                .strip_prefix("page-")
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| refuse(format!("Invalid Marker {text}.")))?,
        };
        Ok(Self { start, length })
    }

    /// The things on this page, and the marker of the next one if there is one.
    pub fn cut<'a, T>(&self, things: &'a [T]) -> (&'a [T], Option<String>) {
        let rest = things.get(self.start..).unwrap_or_default();
        let shown = &rest[..self.length.min(rest.len())];
        (shown, (shown.len() < rest.len()).then(|| format!("page-{}", self.start + shown.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lists_end_at_the_first_gap() {
        let sent = parameters(&[("L.member.1", "a"), ("L.member.2", "b"), ("L.member.4", "d"), ("L.member.10", "x")]);
        assert_eq!(values(&sent, "L.member"), ["a", "b"]);
    }

    #[test]
    fn structures_in_lists_keep_only_their_own_fields() {
        let sent = parameters(&[("F.Filter.1.Name", "a"), ("F.Filter.10.Name", "j"), ("F.Filter.1.Values.Value.1", "v")]);
        let read = items(&sent, "F.Filter");
        assert_eq!(read, [parameters(&[("Name", "a"), ("Values.Value.1", "v")])]);
    }

    proptest::proptest! {
        #[test]
        fn pages_show_everything_once(count in 0_usize..350, length in 20_usize..=100) {
            let things: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            let mut sent = parameters(&[("MaxRecords", &length.to_string())]);
            loop {
                let page = Page::read(&sent, "MaxRecords", 20, 100, |why| ServiceError::refused("X", why)).expect("in bounds");
                let (shown, next) = page.cut(&things);
                seen.extend_from_slice(shown);
                let Some(next) = next else { break };
                sent.insert("Marker".to_owned(), next);
            }
            proptest::prop_assert_eq!(seen, things);
        }

        #[test]
        fn any_marker_is_read_or_refused(marker: String, size: String) {
            let sent = parameters(&[("Marker", &marker), ("MaxRecords", &size)]);
            if let Ok(page) = Page::read(&sent, "MaxRecords", 20, 100, |why| ServiceError::refused("X", why)) {
                page.cut(&[1, 2, 3]);
            }
        }
    }
}
