package guest

import "path/filepath"

// patchSockaddr names wasip1 among the platforms without a routing table: go-sockaddr, below
// memberlist, has no file at all for a platform that it does not know.
func patchSockaddr(dir string) error { return addTag(filepath.Join(dir, "route_info_default.go")) }
