//! For whose clients the answers are: what is told to all, and what is told to some alone.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::document::{self, Page};
use crate::dialect::{
    Problem, References,
    answer::{JSON, error_object},
    json::{Object, name},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// All at once, as far as they agree.
    All,
    /// Those of Azure Resource Manager.
    Arm,
    /// Those of Azure's services themselves.
    OperationLocation,
}

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");
const AZURE_ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

// === impl Profile ===

impl Profile {
    /// Names the status, beside the `Location`.
    pub(super) fn point(self, headers: &mut HeaderMap, page: &Page, is_absolute: bool) {
        match self {
            Self::All => {
                headers.insert(header::LINK, page.monitor());
                if is_absolute {
                    let status = page.status();
                    headers.insert(OPERATION_LOCATION, status.clone());
                    headers.insert(AZURE_ASYNC_OPERATION, status);
                }
            }
            Self::Arm => {
                headers.insert(AZURE_ASYNC_OPERATION, page.status());
            }
            Self::OperationLocation => {
                headers.insert(OPERATION_LOCATION, page.status());
            }
        }
    }

    pub(super) fn references(self) -> References {
        match self {
            Self::All => References::Any,
            Self::Arm | Self::OperationLocation => References::Absolute,
        }
    }

    /// Whether calls of this method may be deferred at all.
    pub(super) fn may_defer(self, method: &Method) -> bool {
        match self {
            Self::All => true,
            Self::Arm | Self::OperationLocation => !matches!(*method, Method::PUT | Method::PATCH),
        }
    }

    /// Whether there is nothing but header fields at the result of an operation that runs.
    pub(super) fn has_bare_result(self) -> bool {
        match self {
            Self::All | Self::OperationLocation => false,
            Self::Arm => true,
        }
    }

    /// An error, and what it is written in.
    pub(super) fn problem(self, problem: &Problem) -> (HeaderValue, Bytes) {
        match self {
            Self::All => (PROBLEM_JSON, document::problem(problem)),
            Self::Arm | Self::OperationLocation => (JSON, error_object(problem)),
        }
    }

    /// What Resource Manager calls the operation and its times, beside what others do.
    pub(super) fn write(
        self,
        document: &mut Object<'_>,
        [id, begun]: [&[u8]; 2],
        ended: Option<&[u8]>,
    ) {
        match self {
            Self::All | Self::OperationLocation => {}
            Self::Arm => {
                document.plain(name!("name"), [id]);
                document.plain(name!("startTime"), [begun]);
                if let Some(ended) = ended {
                    document.plain(name!("endTime"), [ended]);
                }
            }
        }
    }
}
