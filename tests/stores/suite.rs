//! Every case over every store.

/// Makes a test of each case for each store.
macro_rules! over_every_store {
    ($($case:ident),* $(,)?) => {
        mod secrets_manager {
            $(#[tokio::test] async fn $case() { crate::cases::$case(crate::bench::Bench::secrets_manager().await).await })*
        }
        mod vault_kv2 {
            $(#[tokio::test] async fn $case() { crate::cases::$case(crate::bench::Bench::kv2().await).await })*
        }
        mod vault_kv1 {
            $(#[tokio::test] async fn $case() { crate::cases::$case(crate::bench::Bench::kv1().await).await })*
        }
    };
}

over_every_store!(
    a_secret_goes_from_pending_to_proven_under_one_id,
    every_call_may_be_repeated,
    a_pending_value_is_replaced_as_a_whole,
    it_is_killed_after_every_call_and_goes_on,
    a_forgotten_secret_is_made_again_at_its_place,
    a_secret_of_somebody_else_is_left_alone,
    two_runs_at_once_never_mean_two_values_by_one_version,
    only_the_pending_version_that_was_seen_is_replaced,
    two_first_values_at_once_never_read_as_proven,
    a_secret_of_an_earlier_database_is_taken_over,
    hostile_names_have_places_of_their_own,
    a_version_knows_when_it_was_stored,
    what_is_not_permitted_is_named,
    a_proven_version_is_read_and_an_unproven_one_refused,
);
