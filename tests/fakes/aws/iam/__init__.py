"""Who may do what, as IAM decides it: identity policies, session policies, boundaries and trust policies.

| module         | what it is for                                                                             |
|----------------|--------------------------------------------------------------------------------------------|
| patterns.py    | wildcards in actions and ARNs, policy variables                                            |
| conditions.py  | the operators of a Condition block                                                         |
| policy.py      | documents, statements, and the decision about one request                                  |
| request.py     | one (action, resource, context) that IAM is asked about                                    |
| actions/       | which requests an AWS call stands for: the table of every call that the provider makes     |
| identities.py  | the caller's policies and context, out of moto                                             |
| judge.py       | the live decision about a call, and what was decided so far                                |

The rules follow AWS's pages "Policy evaluation logic", "IAM JSON policy elements: Condition operators" and "Policies and
permissions", and the Service Authorization Reference for resources and condition keys. What a document uses and these
modules do not know (an operator, a key that the action does not have, half an ARN) is an error, never a match and never
a silent mismatch.

What this proves: every call of the provider is allowed by the documents under test for that resource, in that context,
and neighbours are not. What it does not prove: that AWS decides the same. Not evaluated: service control policies,
resource policies of secrets and keys (a key policy that trusts the account is taken for granted), VPC endpoint policies,
and the permissions that services need for themselves.
"""
