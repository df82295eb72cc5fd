// Package guest builds the program that the sandbox runs: the agent of this module's
// sources, for WebAssembly (GOOS=wasip1). What was built is kept below the user's cache, by
// the content of all that it is made of, so that only the first use after a change waits.
//
// Some modules below the agent do not compile for wasip1. The build takes patched copies in
// their place; see [patches].
package guest
