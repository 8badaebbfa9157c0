package docs

// A caller's principals are the names under which docs_role gives them roles: their own id and, unless they are a guest, everybody's.

// principals is the query of a caller's principals, one column named name. Its parameters are the caller's id, and whether they are no guest.
func principals(user, member string) string {
	return own(user) + ` UNION ALL SELECT '*' WHERE ` + member
}

// own is the same without everybody.
func own(user string) string { return `SELECT CAST(` + user + ` AS text) AS name` }

// role is a caller's role in the document d: the best of their principals'.
func (s *statements) role(user, member string) string {
	return `(SELECT coalesce(max(r.role), 0) FROM docs_role r WHERE r.workspace = d.workspace AND r.document = d.id AND ` +
		s.oneOf(`r.user_id`, principals(user, member)) + `)`
}
