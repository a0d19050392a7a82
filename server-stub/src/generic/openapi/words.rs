//! Names of groups, versions and kinds inside of other names.

/// `rbac.authorization.k8s.io` as `RbacAuthorization`.
pub(super) fn group_words(group: &str) -> String {
    match group.strip_suffix(".k8s.io").unwrap_or(group) {
        "" => "Core".to_owned(),
        group => group.split(|c: char| !c.is_alphanumeric()).map(capital).collect(),
    }
}

/// What operations of a version of a group are tagged with, such as `rbacAuthorization_v1`.
pub(super) fn tag(group: &str, version: Option<&str>) -> String {
    let words = group_words(group);
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    let mut tag: String = first.into_iter().chain(chars).collect();
    if let Some(version) = version {
        tag.push('_');
        tag.push_str(version);
    }
    tag
}

pub(super) fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(chars)
        .collect()
}

/// `a Pod`, `an Ingress`; kinds in the plural have none.
pub(super) fn with_article(kind: &str) -> String {
    if kind.ends_with('s') && !kind.ends_with("ss") {
        return kind.to_owned();
    }
    let vowel = kind.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_in_other_names() {
        assert_eq!(group_words("gold.example.com"), "GoldExampleCom");
        assert_eq!(tag("rbac.authorization.k8s.io", Some("v1")), "rbacAuthorization_v1");
        assert_eq!(
            (tag("", None), with_article("Endpoints")),
            ("core".into(), "Endpoints".into())
        );
    }
}
