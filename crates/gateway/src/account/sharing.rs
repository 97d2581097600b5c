//! SHARED accounts: the ACL that says which users may use one, beside its own user.
//!
//! A SHARED account is used only by a session that pins it, never by a look-up of the user's accounts.
//! `cases/acl-cases.json` is the rule.

use proxy_execute_protocol::{
    AccountType, Acl, Error, ErrorKind, GivenAcl, NewSharing, Result, Sharing, quoted,
};
use proxy_execute_store::{StoredAccount, StoredAcl, UserIds};

use crate::bounds;

/// The type and the ACL of a new account.
#[derive(Debug, Default)]
pub(crate) struct SharingOfNew {
    pub(crate) account_type: AccountType,
    pub(crate) acl: StoredAcl,
}

impl SharingOfNew {
    /// Checks the part `experimental` of a request. `field` names it.
    ///
    /// # Errors
    /// `InvalidRequest` for an ACL of a PRIVATE account, or one that is too long.
    pub(crate) fn read(given: Option<NewSharing>, field: &str) -> Result<Self> {
        let NewSharing { account_type, acl_config_for_shared } = given.unwrap_or_default();
        let account_type = account_type.unwrap_or_default();
        let acl = acl_config_for_shared.map(|acl| checked(acl, account_type, field)).transpose()?;
        let acl = acl.unwrap_or_default();
        Ok(Self {
            account_type,
            acl: StoredAcl {
                allow_all_users: acl.allow_all_users.unwrap_or_default(),
                allowed_user_ids: UserIds(acl.allowed_user_ids.unwrap_or_default()),
                not_allowed_user_ids: UserIds(acl.not_allowed_user_ids.unwrap_or_default()),
            },
        })
    }
}

/// Checks the given parts of an account's ACL.
///
/// # Errors
/// `InvalidRequest` if the account is PRIVATE, or if a list is too long.
pub(super) fn checked(acl: GivenAcl, account_type: AccountType, field: &str) -> Result<GivenAcl> {
    let field = format!("{field}.acl_config_for_shared");
    if account_type == AccountType::Private {
        let message = format!("{field}: acl_config_for_shared is only valid on SHARED accounts.");
        return Err(Error::of_field(ErrorKind::InvalidRequest, field, message)
            .fix("Create the account with account_type SHARED, or leave acl_config_for_shared out."));
    }
    for (ids, name) in
        [(&acl.allowed_user_ids, "allowed_user_ids"), (&acl.not_allowed_user_ids, "not_allowed_user_ids")]
    {
        bounds::acl(ids.as_deref().unwrap_or_default(), &format!("{field}.{name}"))?;
    }
    Ok(acl)
}

/// Returns how an account is shared, as responses show it.
pub(super) fn shown(account_type: AccountType, acl: StoredAcl) -> Sharing {
    let acl = Acl {
        allow_all_users: acl.allow_all_users,
        allowed_user_ids: acl.allowed_user_ids.0,
        not_allowed_user_ids: acl.not_allowed_user_ids.0,
    };
    Sharing { account_type, acl_config_for_shared: (account_type == AccountType::Shared).then_some(acl) }
}

/// Whether a session of this user may pin the account, and call with it.
///
/// The account's own user always may, even if the ACL denies them.
pub(crate) fn admits(account: &StoredAccount, user_id: &str) -> bool {
    let has = |ids: &UserIds| ids.0.iter().any(|id| id == user_id);
    let acl = &account.acl;
    account.user_id == user_id
        || account.account_type == AccountType::Shared
            && !has(&acl.not_allowed_user_ids)
            && (acl.allow_all_users || has(&acl.allowed_user_ids))
}

/// Refuses a call of a session whose user may no longer use the account that it pins.
///
/// # Errors
/// `SharedAccessDenied`.
pub(super) fn check_admitted(account: &StoredAccount, user_id: &str) -> Result<()> {
    if admits(account, user_id) {
        return Ok(());
    }
    let message = format!(
        "The ACL of SHARED account {} does not allow user `{}`, although the session pins the account.",
        account.id,
        quoted(user_id)
    );
    Err(Error::new(ErrorKind::SharedAccessDenied, message).fix(format!(
        "Allow the user with connectedAccounts.updateAcl('{}', {{ … }}), or pin another account with session.update().",
        account.id
    )))
}

/// Refuses a SHARED account that a call names itself.
///
/// # Errors
/// `SharedAccessDenied`.
pub(super) fn check_not_shared(account: &StoredAccount) -> Result<()> {
    if account.account_type == AccountType::Private {
        return Ok(());
    }
    let message = format!("Account {} is SHARED, so only a session that pins it may use it.", account.id);
    Err(Error::new(ErrorKind::SharedAccessDenied, message).fix(format!(
        "Create a session with connectedAccounts: {{ {}: ['{}'] }}, and call session.proxyExecute().",
        account.toolkit, account.id
    )))
}
