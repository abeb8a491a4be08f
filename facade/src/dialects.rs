//! How operations are spoken of: `--dialect`.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use tower_respond_async::Builder;
use tower_respond_async::dialect::{
    Complete, Dialect, FhirDialect, ODataDialect, Pending, RedfishDialect, StandardDialect,
};

/// One `--dialect`: which, and of which calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    name: Name,
    /// The path of its calls; `None` for all that no other one speaks of.
    below: Option<String>,
}

/// What other options say of how operations are spoken of.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// `--pending`.
    pub pending: Pending,
    /// `--complete`.
    pub complete: Complete,
    /// `--retry-after`, if it is always the same.
    pub retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Standard,
    Arm,
    OperationLocation,
    Redfish,
    Fhir,
    Odata,
    /// Spoken to the methods that are listed, beside all others.
    Grpc,
}

/// Dialects that cannot be spoken together, or as the proxy is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialectError {
    /// Two for the same calls.
    Twice(Spoken),
    /// One whose clients follow absolute references alone, and there are none.
    Relative(Spoken),
}

/// Has the builder speak these dialects.
///
/// # Errors
///
/// If two are for the same calls, or if one needs absolute references and none are.
pub fn speak(
    mut builder: Builder,
    dialects: &[Spoken],
    manner: Manner,
    is_absolute: bool,
) -> Result<Builder, DialectError> {
    let mut seen = HashSet::new();
    let default = Spoken { name: Name::Standard, below: None };
    builder = default.set(builder, manner);
    for spoken in dialects.iter().filter(|spoken| !spoken.is_grpc()) {
        if !seen.insert(spoken.below.as_deref()) {
            return Err(DialectError::Twice(spoken.clone()));
        }
        if spoken.name.needs_absolute() && !is_absolute {
            return Err(DialectError::Relative(spoken.clone()));
        }
        builder = spoken.set(builder, manner);
    }
    Ok(builder)
}

// === impl Spoken ===

impl Spoken {
    fn set(&self, builder: Builder, manner: Manner) -> Builder {
        let Manner { complete, retry_after, .. } = manner;
        match self.name {
            Name::Standard => self.give(builder, manner.standard(StandardDialect::new())),
            Name::Arm => self.give(builder, manner.standard(StandardDialect::arm())),
            Name::OperationLocation => {
                self.give(builder, manner.standard(StandardDialect::operation_location()))
            }
            Name::Redfish => {
                let dialect = RedfishDialect::new();
                self.give(builder, retry_after.map_or(dialect, |every| dialect.retry_after(every)))
            }
            Name::Fhir => {
                let dialect = match complete {
                    Complete::SeeOther => FhirDialect::see_other(),
                    Complete::Document => FhirDialect::bundle(),
                    Complete::Replay => FhirDialect::new(),
                };
                self.give(builder, retry_after.map_or(dialect, |every| dialect.retry_after(every)))
            }
            Name::Odata => {
                let dialect = ODataDialect::new();
                self.give(builder, retry_after.map_or(dialect, |every| dialect.retry_after(every)))
            }
            Name::Grpc => builder,
        }
    }

    /// Whether it is gRPC's, which has methods and no path.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.name == Name::Grpc
    }

    fn give(&self, builder: Builder, dialect: impl Dialect) -> Builder {
        match &self.below {
            Some(path) => builder.dialect_below(path, dialect),
            None => builder.dialect(dialect),
        }
    }
}

impl FromStr for Spoken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, below) = match text.split_once('=') {
            Some((name, below)) => (name, Some(below)),
            None => (text, None),
        };
        let name = Name::from_str(name, false).map_err(|_| {
            let names: Vec<_> = Name::value_variants().iter().map(Name::to_string).collect();
            format!("expected one of {}", names.join(", "))
        })?;
        if name == Name::Grpc && below.is_some() {
            return Err(
                "gRPC has methods, not paths: --grpc-defer and --grpc-lro list them".to_owned()
            );
        }
        let below = below.map(|below| {
            let path = below.strip_suffix('/').unwrap_or(below);
            let is_path = path.len() > 1 && path.starts_with('/');
            is_path.then(|| path.to_owned()).ok_or("expected a path such as /fhir behind the =")
        });
        Ok(Self { name, below: below.transpose()? })
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        match &self.below {
            Some(path) => write!(f, "={path}"),
            None => Ok(()),
        }
    }
}

// === impl Name ===

impl Name {
    fn needs_absolute(self) -> bool {
        match self {
            Self::Arm | Self::OperationLocation | Self::Fhir => true,
            Self::Standard | Self::Redfish | Self::Odata | Self::Grpc => false,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no name is skipped");
        f.write_str(value.get_name())
    }
}

// === impl Manner ===

impl Manner {
    fn standard(self, dialect: StandardDialect) -> StandardDialect {
        let dialect = dialect.pending(self.pending).complete(self.complete);
        self.retry_after.map_or(dialect, |every| dialect.retry_after(every))
    }
}

// === impl DialectError ===

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(spoken) => match &spoken.below {
                Some(path) => {
                    write!(f, "--dialect {spoken}: calls below {path} have a dialect already")
                }
                None => write!(f, "--dialect {spoken}: all other calls have a dialect already"),
            },
            Self::Relative(spoken) => write!(
                f,
                "--dialect {spoken} needs absolute references: --public-base has to be the URL under which callers reach this proxy",
            ),
        }
    }
}

impl std::error::Error for DialectError {}
