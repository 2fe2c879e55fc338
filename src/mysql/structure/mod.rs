//! Reads the structure of a database: every catalogue at once, in one round trip, understood alike from every kind of server.

mod catalogue;
mod normal;
mod put_together;

use mysql_async::Row;
use mysql_async::prelude::FromRow;

use super::privileges;
use super::session::{Session, understood};
use crate::database::Structure;
use crate::fault::Problem;

/// Reads the structure of `schemas`.
///
/// # Errors
/// `Denied`, with the GRANTs that are missing, where the account may not see everything; otherwise what the server answered.
pub async fn read(session: &mut Session, schemas: &[String]) -> Result<Structure, Problem> {
    let statements = catalogue::statements(session.flavour().family, schemas);
    let mut sets = Sets(session.row_sets(&statements).await?.into_iter());
    let (grants, account) = (sets.next::<String>()?, sets.one::<String>()?);
    let needs = privileges::to_read_structure(session.dialect(), schemas);
    let lacking = privileges::lacking(&grants, &account, &needs);
    if !lacking.is_empty() {
        return Err(privileges::denied(&lacking));
    }
    put_together::structure(session.flavour(), &mut sets)
}

/// The answers to the catalogue's statements, in their order.
struct Sets(std::vec::IntoIter<Vec<Row>>);

impl Sets {
    fn next<T: FromRow + Send + 'static>(&mut self) -> Result<Vec<T>, Problem> {
        let too_few = || Problem::Ambiguous { detail: "the server answered fewer statements than it was asked".to_owned() };
        understood(self.0.next().ok_or_else(too_few)?)
    }

    fn one<T: FromRow + Send + 'static>(&mut self) -> Result<T, Problem> {
        let nothing = || Problem::Ambiguous { detail: "the server's settings are empty".to_owned() };
        self.next()?.pop().ok_or_else(nothing)
    }
}
