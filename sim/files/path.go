package files

import "strings"

// The limits of Linux.
const (
	maxName = 255
	maxPath = 4096
)

// place is where a path leads.
type place struct {
	dir  *node  // the directory of the last name
	name string // the last name; "": the path names a directory as "/", "." or ".." do
	node *node  // what is there; nil: nothing
}

// find follows a path from the root, whether it begins with a slash or not. The last name
// need not exist, all before it must be directories. A slash at the end asks for one.
func (d *Disk) find(path string) (place, error) {
	switch {
	case path == "" || strings.IndexByte(path, 0) >= 0:
		return place{}, Invalid
	case len(path) > maxPath:
		return place{}, NameTooLong
	}
	at := place{node: d.root}
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" {
			continue
		}
		var err error
		if at, err = d.enter(at.node, name); err != nil {
			return place{}, err
		}
	}
	if path[len(path)-1] == '/' && at.node != nil && at.node.kind != Directory {
		return place{}, NotDir
	}
	return at, nil
}

// enter takes one step of a path.
func (d *Disk) enter(from *node, name string) (place, error) {
	switch {
	case from == nil:
		return place{}, NotExist
	case from.kind != Directory:
		return place{}, NotDir
	case name == ".":
		return place{node: from}, nil
	case name == ".." && from == d.root:
		return place{}, Invalid
	case name == "..":
		return place{node: from.parent}, nil
	case len(name) > maxName:
		return place{}, NameTooLong
	}
	return place{dir: from, name: name, node: from.names[name]}, nil
}
