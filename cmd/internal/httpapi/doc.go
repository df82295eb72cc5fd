// Package httpapi is the HTTP API: Dkron's, with its paths, codes, headers and shapes, and
// ours beside it. It decides nothing about jobs: each request becomes one message to the
// member's Gateway, or a few, and what only another member can answer is passed on to it.
//
// One table, [operations], makes the routes and the OpenAPI document. Of huma its types of
// OpenAPI and JSON Schema serve, and not its handlers: those write their errors and choose
// their codes otherwise than Dkron does.
//
// Errors are a line of plain text, as in Dkron, or application/problem+json for who accepts
// that. A code of package orrery has one status: invalid 400, not found 404, conflict 409
// (412 where If-Match asked), unavailable 503, unknown 504, internal 500.
package httpapi
