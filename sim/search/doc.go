// Package search looks for runs that come to places where none has been: it keeps the
// scenarios and seeds of those that did, and changes them a little for the next ones.
//
// A search goes in generations. [Search.Next] makes a number of candidates, somebody lives
// them, as many at once as there are processors, and tells with [Search.Learn] what each
// came by, in the order in which they were made. What is made next follows from the seeds
// and from what was learned so far, so that a search with the same generations does the
// same thing again.
//
// What a run came by are the features of its coverage: the probes and the reactions of
// actors, each by the power of two of how often. A run with a feature that no other had is
// kept, as in fuzzing by coverage (Zalewski, American Fuzzy Lop, 2013). Half of a
// generation is made of what was kept; the other half goes on through the seeds of the
// scenarios as they are, so that a search is never blind to what chance alone would find.
//
// The package changes scenarios and runs none. Whatever it makes passes Check.
package search
