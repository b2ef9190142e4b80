//! Rotations that are disturbed: the provider process killed after every single external effect, and every other fault.
//!
//! | module     | what it is for                                                                        |
//! |------------|---------------------------------------------------------------------------------------|
//! | `watch`    | stands between provider and servers, tells effects by the servers' logs, holds answers |
//! | `hosted`   | a provider process of our own, without Terraform: many more runs in the same time      |
//! | `stores`   | what the tests ask of a store; one implementation for each                             |
//! | `vault`    | the same of Vault                                                                     |
//! | `stage`    | a database with its store, watched; roles and master credentials to change             |
//! | `kills`    | the table: killed after each effect, on every engine                                   |
//! | `services` | faults of AWS and of the database                                                      |
//! | `races`    | two processes at one target                                                            |
//! | `proof`    | the page that the table is written to                                                  |

mod hosted;
mod kills;
mod proof;
mod races;
mod services;
mod stage;
mod stores;
mod vault;
mod watch;
