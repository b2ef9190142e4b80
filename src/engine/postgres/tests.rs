//! Statements on recorded catalogs: the versions of which no server is at hand.

mod golden;
