//! Which representation a client gets: `Accept`, `pretty`, and what a browser or curl would like to see.
//!
//! Two checks run one after the other, as in kube-apiserver. The route's own list of media types comes first and
//! knows exact names and `*/*` only; after it the media types are negotiated with quality, wildcards and parameters.

use http::HeaderMap;
use http::header::{ACCEPT, USER_AGENT};

use crate::status::ApiError;

/// A way to write an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Protobuf,
}

impl Format {
    /// The media type, as in `Content-Type`.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// The `Content-Type` of a watch, where there is one.
    pub(crate) fn stream_media_type(self) -> Option<&'static str> {
        match self {
            Self::Json => Some("application/json"),
            Self::Yaml => None,
            Self::Protobuf => Some("application/vnd.kubernetes.protobuf;stream=watch"),
        }
    }
}

/// What the client wants instead of the object itself (`as=` in `Accept`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Object,
    Table(MetaVersion),
    PartialObjectMetadata(MetaVersion),
    PartialObjectMetadataList(MetaVersion),
}

/// The version of `meta.k8s.io` in which a view is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaVersion {
    V1,
    V1Beta1,
}

impl MetaVersion {
    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// The outcome of the negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) format: Format,
    pub(crate) view: View,
    pub(crate) pretty: bool,
}

impl Accepted {
    /// How errors are written when there is nothing that the client accepts.
    const FALLBACK: Self = Self {
        format: Format::Json,
        view: View::Object,
        pretty: true,
    };
}

/// The media types that an endpoint can write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    /// In order of preference.
    pub(crate) formats: &'a [Format],
    /// Whether objects themselves can be written as protobuf; if not, only views of them can.
    pub(crate) protobuf_objects: bool,
    /// Whether tables and partial metadata can be asked for.
    pub(crate) views: bool,
    /// Whether the path also answers watches, which adds their media types to the list shown to clients.
    pub(crate) streams: bool,
}

pub(crate) const ALL_FORMATS: &[Format] = &[Format::Json, Format::Yaml, Format::Protobuf];

impl Offer<'_> {
    /// Chooses a representation, or explains that there is none.
    pub(crate) fn negotiate(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Accepted, ApiError> {
        let accept = accept_header(headers);
        if !self.route_accepts(accept.as_deref()) {
            return Err(ApiError::no_such_representation(&self.representations()));
        }
        self.choose(accept.as_deref(), headers, query)
            .ok_or_else(|| ApiError::not_acceptable(&names(self.formats)))
    }

    /// Chooses the representation of a watch's events.
    pub(crate) fn negotiate_stream(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Accepted, ApiError> {
        let accepted = self.negotiate(headers, query)?;
        match accepted.format.stream_media_type() {
            Some(_) => Ok(accepted),
            None => Err(ApiError::not_acceptable(&self.stream_names())),
        }
    }

    /// How to write an error: whatever the client accepts, and readable JSON if that is nothing.
    pub(crate) fn for_error(&self, headers: &HeaderMap, query: Option<&str>) -> Accepted {
        let accept = accept_header(headers);
        match self.choose(accept.as_deref(), headers, query) {
            Some(accepted) => Accepted {
                view: View::Object,
                ..accepted
            },
            None => Accepted::FALLBACK,
        }
    }

    /// The first check: exact names and `*/*`, parameters ignored.
    fn route_accepts(&self, accept: Option<&str>) -> bool {
        let Some(accept) = accept else { return true };
        accept.split(',').any(|range| {
            let name = range.split(';').next().unwrap_or_default().trim();
            name == "*/*" || self.formats.iter().any(|format| format.media_type() == name)
        })
    }

    fn choose(&self, accept: Option<&str>, headers: &HeaderMap, query: Option<&str>) -> Option<Accepted> {
        let pretty = wants_pretty(headers, query);
        let Some(accept) = accept else {
            let format = *self.formats.first()?;
            return Some(Accepted {
                format,
                view: View::Object,
                pretty,
            });
        };
        parse_accept(accept).into_iter().find_map(|range| {
            self.formats
                .iter()
                .filter(|format| range.matches(format.media_type()))
                .find_map(|&format| {
                    let view = self.view(&range, format)?;
                    Some(Accepted {
                        format,
                        view,
                        pretty: pretty || range.pretty(),
                    })
                })
        })
    }

    /// The view that a media range asks for, `None` if it cannot be had in this format.
    fn view(&self, range: &MediaRange<'_>, format: Format) -> Option<View> {
        if let Some(stream) = range.parameter("stream")
            && (stream != "watch" || !self.streams)
        {
            return None;
        }
        let Some(kind) = range.parameter("as") else {
            return (self.protobuf_objects || format != Format::Protobuf).then_some(View::Object);
        };
        if !self.views || range.parameter("g") != Some("meta.k8s.io") {
            return None;
        }
        let version = match range.parameter("v")? {
            "v1" => MetaVersion::V1,
            "v1beta1" => MetaVersion::V1Beta1,
            _ => return None,
        };
        match kind {
            "Table" if format != Format::Protobuf => Some(View::Table(version)),
            "PartialObjectMetadata" => Some(View::PartialObjectMetadata(version)),
            "PartialObjectMetadataList" => Some(View::PartialObjectMetadataList(version)),
            _ => None,
        }
    }

    fn representations(&self) -> Vec<&'static str> {
        let streams = if self.streams { self.stream_names() } else { Vec::new() };
        names(self.formats).into_iter().chain(streams).collect()
    }

    fn stream_names(&self) -> Vec<&'static str> {
        let name = |format: &Format| match format {
            Format::Json => Some("application/json;stream=watch"),
            Format::Yaml => None,
            Format::Protobuf => Some("application/vnd.kubernetes.protobuf;stream=watch"),
        };
        self.formats.iter().filter_map(name).collect()
    }
}

/// Whether the text should be indented: `?pretty=`, else for people with a browser, curl or wget.
pub(crate) fn wants_pretty(headers: &HeaderMap, query: Option<&str>) -> bool {
    let pretty = query.and_then(|query| super::options::Query::parse(query).first("pretty").map(str::to_owned));
    if let Some(value) = pretty.filter(|value| !value.is_empty()) {
        return super::options::parse_bool(&value).unwrap_or(false);
    }
    let agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    ["curl", "Wget", "Mozilla/5.0"]
        .iter()
        .any(|prefix| agent.starts_with(prefix))
}

/// The format in which a client wants discovery as one aggregated document, if it prefers that to the legacy ones.
pub(crate) fn accepts_aggregated_discovery(headers: &HeaderMap) -> Option<Format> {
    let accept = accept_header(headers)?;
    for range in parse_accept(&accept) {
        let Some(format) = ALL_FORMATS.iter().find(|format| range.matches(format.media_type())) else {
            continue;
        };
        match ["as", "g", "v"].map(|name| range.parameter(name)) {
            [None, ..] => return None,
            [Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")] => return Some(*format),
            _ => {}
        }
    }
    None
}

/// The first of `offered` that a client likes best; `None` where it takes none of them.
pub(crate) fn preferred<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let Some(accept) = accept_header(headers) else {
        return offered.first().copied();
    };
    let ranges = parse_accept(&accept);
    let mut found = ranges
        .iter()
        .flat_map(|range| offered.iter().find(|media_type| range.matches(media_type)));
    found.next().copied()
}

/// How a client wants to read one of the pages about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageForm<'a> {
    /// As text.
    Text,
    /// As an object of this version of `config.k8s.io`.
    Object {
        /// How the object is written.
        format: Format,
        /// The version.
        version: &'a str,
    },
}

impl PageForm<'_> {
    const FORMATS: [Format; 2] = [Format::Json, Format::Yaml];

    /// Chooses the form of a page whose object is of this kind.
    pub(crate) fn negotiate<'a>(
        headers: &HeaderMap,
        kind: &str,
        versions: &[&'a str],
    ) -> Result<PageForm<'a>, ApiError> {
        let Some(accept) = accept_header(headers) else {
            return Ok(PageForm::Text);
        };
        let form = |range: MediaRange<'_>| match (range.kind, range.subtype) {
            ("*", "*") | ("text", "*" | "plain") => Some(PageForm::Text),
            _ => {
                let format = Self::FORMATS
                    .into_iter()
                    .find(|format| range.matches(format.media_type()))?;
                let is = |name, value| range.parameter(name) == Some(value);
                let version = versions.iter().copied().find(|version| is("v", version))?;
                (is("as", kind) && is("g", "config.k8s.io")).then_some(PageForm::Object { format, version })
            }
        };
        let accepted = parse_accept(&accept).into_iter().find_map(form);
        let [json, yaml] = Self::FORMATS.map(Format::media_type);
        accepted.ok_or_else(|| ApiError::not_acceptable(&[json, yaml, "text/plain"]))
    }
}

fn names(formats: &[Format]) -> Vec<&'static str> {
    formats.iter().map(|format| format.media_type()).collect()
}

/// All `Accept` headers as one; none and an empty one mean the same.
fn accept_header(headers: &HeaderMap) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let joined = values.join(",");
    (!joined.is_empty()).then_some(joined)
}

/// One element of an `Accept` header.
#[derive(Debug)]
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f32,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut pieces = text.split(';').map(str::trim);
        let name = pieces.next().unwrap_or_default();
        let (kind, subtype) = if name == "*" { ("*", "*") } else { name.split_once('/')? };
        let (mut quality, mut parameters) = (1.0, Vec::new());
        for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            match name.trim() {
                "q" => quality = value.trim().parse().unwrap_or(1.0),
                name => parameters.push((name, value.trim())),
            }
        }
        Some(Self {
            kind,
            subtype,
            quality,
            parameters,
        })
    }

    fn matches(&self, media_type: &str) -> bool {
        let Some((kind, subtype)) = media_type.split_once('/') else {
            return false;
        };
        match (self.kind, self.subtype) {
            ("*", "*") => true,
            (k, "*") => k == kind,
            (k, s) => k == kind && s == subtype,
        }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| *value)
    }

    fn pretty(&self) -> bool {
        self.parameter("pretty") == Some("1")
    }

    fn wildcards(&self) -> usize {
        usize::from(self.kind == "*") + usize::from(self.subtype == "*")
    }
}

/// The ranges, best first: by quality, then the more specific, then as written.
fn parse_accept(header: &str) -> Vec<MediaRange<'_>> {
    let mut ranges: Vec<_> = header
        .split(',')
        .filter_map(MediaRange::parse)
        .filter(|r| r.quality > 0.0)
        .collect();
    ranges.sort_by(|a, b| b.quality.total_cmp(&a.quality).then(a.wildcards().cmp(&b.wildcards())));
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const OFFER: Offer<'static> = Offer {
        formats: ALL_FORMATS,
        protobuf_objects: true,
        views: true,
        streams: false,
    };
    const LIST: Offer<'static> = Offer {
        formats: ALL_FORMATS,
        protobuf_objects: true,
        views: true,
        streams: true,
    };

    fn accept(value: &str) -> HeaderMap {
        [(ACCEPT, HeaderValue::from_str(value).unwrap())].into_iter().collect()
    }

    fn chosen(value: &str) -> Option<(Format, View)> {
        OFFER.negotiate(&accept(value), None).ok().map(|a| (a.format, a.view))
    }

    #[test]
    fn chooses_by_quality_then_order() {
        let object = |format| Some((format, View::Object));
        assert_eq!(chosen("*/*"), object(Format::Json));
        assert_eq!(
            chosen("application/yaml;q=0.2,application/json;q=0.9"),
            object(Format::Json)
        );
        assert_eq!(
            chosen("application/vnd.kubernetes.protobuf,application/json"),
            object(Format::Protobuf)
        );
        assert_eq!(
            chosen("text/html,application/xml;q=0.9,*/*;q=0.8"),
            object(Format::Json)
        );
        assert_eq!(chosen("application/json; charset=utf-8"), object(Format::Json));
        assert_eq!(chosen("application/cbor,application/json"), object(Format::Json));
    }

    #[test]
    fn views() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(chosen(table), Some((Format::Json, View::Table(MetaVersion::V1))));
        let unknown = "application/json;as=Nosuch;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(chosen(unknown), Some((Format::Json, View::Object)));
        assert_eq!(
            chosen("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io"),
            None
        );
        assert_eq!(chosen("application/json;as=Table;v=v9;g=meta.k8s.io"), None);
    }

    #[test]
    fn says_what_there_is_when_nothing_fits() {
        let all = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
        let error = OFFER.negotiate(&accept("application/*"), None).unwrap_err();
        assert_eq!(
            error.message(),
            format!("406: Not Acceptable\n\nAvailable representations: {all}")
        );
        let error = OFFER
            .negotiate(&accept("application/json;as=X;v=v1;g=meta.k8s.io"), None)
            .unwrap_err();
        assert_eq!(
            error.message(),
            format!("only the following media types are accepted: {all}")
        );
        let error = LIST.negotiate_stream(&accept("application/yaml"), None).unwrap_err();
        assert_eq!(
            error.message(),
            "only the following media types are accepted: application/json;stream=watch, \
             application/vnd.kubernetes.protobuf;stream=watch"
        );
    }

    #[test]
    fn errors_are_compact_where_something_is_accepted_and_pretty_elsewhere() {
        assert!(!OFFER.for_error(&accept("application/*"), None).pretty);
        assert!(OFFER.for_error(&accept("text/html"), None).pretty);
        assert_eq!(OFFER.for_error(&accept("application/yaml"), None).format, Format::Yaml);
    }

    #[test]
    fn pretty_follows_the_parameter_then_the_user_agent() {
        let curl: HeaderMap = [(USER_AGENT, HeaderValue::from_static("curl/8.0"))]
            .into_iter()
            .collect();
        assert!(wants_pretty(&curl, None));
        assert!(!wants_pretty(&curl, Some("pretty=0")));
        assert!(wants_pretty(&HeaderMap::new(), Some("pretty=true")));
        assert!(!wants_pretty(&HeaderMap::new(), Some("limit=1")));
    }
}
