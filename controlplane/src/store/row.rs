//! Columns as the types of the model. A value that does not decode is an error that names its column.

use std::str::FromStr;

use jiff::Timestamp;
use sqlx::{Row as _, any::AnyRow};
use utopia_proto::{
    claim::v1::ClaimPhase,
    machine::v1::{MachineRole, MachineStatus},
    webhook::v1::DeliveryStatus,
};
use uuid::Uuid;

use crate::model::{NodeStage, host::MaintenanceClaims};

type Result<T> = std::result::Result<T, sqlx::Error>;

fn decode_error(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}

/// A text column that is a word of `T`.
pub(super) fn parsed<T>(row: &AnyRow, column: &str) -> Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.try_get::<&str, _>(column)?.parse().map_err(|error| decode_error(column, error))
}

pub(super) fn uuid(row: &AnyRow, column: &str) -> Result<Uuid> {
    parsed(row, column)
}

pub(super) fn maybe_uuid(row: &AnyRow, column: &str) -> Result<Option<Uuid>> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|error| decode_error(column, error))).transpose()
}

pub(super) fn timestamp(row: &AnyRow, column: &str) -> Result<Timestamp> {
    let ms: i64 = row.try_get(column)?;
    Timestamp::from_millisecond(ms).map_err(|error| decode_error(column, error))
}

pub(super) fn maybe_timestamp(row: &AnyRow, column: &str) -> Result<Option<Timestamp>> {
    let ms: Option<i64> = row.try_get(column)?;
    ms.map(|ms| Timestamp::from_millisecond(ms).map_err(|error| decode_error(column, error))).transpose()
}

/// A message of the contract, kept as its bytes.
pub(super) fn message<M: prost::Message + Default>(row: &AnyRow, column: &str) -> Result<M> {
    M::decode(row.try_get::<&[u8], _>(column)?).map_err(|error| decode_error(column, error))
}

/// The `sequence` of the last of these rows, the oldest first, before the first whose time is not before another; none when that is the
/// first of all.
pub(super) fn last_before(rows: &[AnyRow], before: Timestamp) -> Result<Option<i64>> {
    let mut last = None;
    for row in rows {
        if timestamp(row, "at")? >= before {
            break;
        }
        last = Some(row.try_get("sequence")?);
    }
    Ok(last)
}

/// Text kept as its bytes.
pub(super) fn utf8(row: &AnyRow, column: &str) -> Result<String> {
    String::from_utf8(row.try_get(column)?).map_err(|error| decode_error(column, error))
}

/// A count or size that is never negative.
pub(super) fn unsigned(row: &AnyRow, column: &str) -> Result<u64> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|error| decode_error(column, error))
}

/// The word for a phase. `Unspecified` is no phase of a claim; the database refuses it.
pub(super) const fn phase_word(phase: ClaimPhase) -> &'static str {
    match phase {
        ClaimPhase::Unspecified => "",
        ClaimPhase::Pending => "pending",
        ClaimPhase::Scheduled => "scheduled",
        ClaimPhase::Running => "running",
        ClaimPhase::Failed => "failed",
        ClaimPhase::Completed => "completed",
    }
}

pub(super) fn phase(row: &AnyRow, column: &str) -> Result<ClaimPhase> {
    match row.try_get(column)? {
        "pending" => Ok(ClaimPhase::Pending),
        "scheduled" => Ok(ClaimPhase::Scheduled),
        "running" => Ok(ClaimPhase::Running),
        "failed" => Ok(ClaimPhase::Failed),
        "completed" => Ok(ClaimPhase::Completed),
        word => Err(decode_error(column, UnknownWord(word.to_owned()))),
    }
}

pub(super) fn stage(row: &AnyRow, column: &str) -> Result<NodeStage> {
    match row.try_get(column)? {
        "pending" => Ok(NodeStage::Pending),
        "enrolled" => Ok(NodeStage::Enrolled),
        word => Err(decode_error(column, UnknownWord(word.to_owned()))),
    }
}

pub(super) fn maintenance_claims(row: &AnyRow, column: &str) -> Result<MaintenanceClaims> {
    match row.try_get(column)? {
        "keep" => Ok(MaintenanceClaims::Keep),
        "move" => Ok(MaintenanceClaims::Move),
        word => Err(decode_error(column, UnknownWord(word.to_owned()))),
    }
}

pub(super) fn machine_status(row: &AnyRow, column: &str) -> Result<MachineStatus> {
    match row.try_get(column)? {
        "available" => Ok(MachineStatus::Available),
        "unavailable" => Ok(MachineStatus::Unavailable),
        "maintenance" => Ok(MachineStatus::Maintenance),
        "error" => Ok(MachineStatus::Error),
        "in_use" => Ok(MachineStatus::InUse),
        "deploying" => Ok(MachineStatus::Deploying),
        "offline" => Ok(MachineStatus::Offline),
        word => Err(decode_error(column, UnknownWord(word.to_owned()))),
    }
}

pub(super) fn machine_role(row: &AnyRow, column: &str) -> Result<MachineRole> {
    match row.try_get(column)? {
        "master" => Ok(MachineRole::Master),
        "worker" => Ok(MachineRole::Worker),
        "etcd" => Ok(MachineRole::Etcd),
        "registry" => Ok(MachineRole::Registry),
        word => Err(decode_error(column, UnknownWord(word.to_owned()))),
    }
}

pub(super) fn delivery_status(row: &AnyRow, column: &str) -> Result<DeliveryStatus> {
    match row.try_get(column)? {
        "pending" => Ok(DeliveryStatus::Pending),
        "delivered" => Ok(DeliveryStatus::Delivered),
        "failed" => Ok(DeliveryStatus::Failed),
        word => Err(decode_error(column, UnknownWord(word.to_owned()))),
    }
}

/// A number that is kept wider than it is.
pub(super) fn number<T>(row: &AnyRow, column: &str) -> Result<T>
where
    T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>,
{
    T::try_from(row.try_get::<i64, _>(column)?).map_err(|error| decode_error(column, error))
}

/// A value kept as JSON text.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| decode_error(column, error))
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not among the words this version knows")]
struct UnknownWord(String);

/// A size as the store keeps it. What does not fit (8 EiB) is cut off.
pub(super) fn bytes_column(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A time as the store keeps it.
pub(super) fn ms(time: Timestamp) -> i64 {
    time.as_millisecond()
}
