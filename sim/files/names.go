package files

import (
	"cmp"
	"slices"
	"strings"
)

// Flags say how a file is opened.
type Flags uint8

const (
	Read      Flags = 1 << iota // ReadAt works
	Write                       // WriteAt, Append, Truncate and Allocate work
	Create                      // an empty file is made if there is nothing
	Exclusive                   // with Create: there must be nothing
	Truncate                    // a file that is there is emptied
	OnlyDir                     // there must be a directory
	AtEnd                       // whatever is written goes to the end
)

// Open opens a file, or a directory if neither Write, Create nor Truncate is asked for.
// Errors: those of the path, NotExist, Exist, IsDir, NotDir, NoSpace; Invalid if Create and
// OnlyDir come together.
func (d *Disk) Open(path string, flags Flags) (*File, error) {
	at, err := d.find(path)
	switch {
	case err != nil:
		return nil, err
	case flags&Create != 0 && flags&OnlyDir != 0:
		return nil, Invalid
	case at.node == nil && flags&Create == 0:
		return nil, NotExist
	case at.node == nil && strings.HasSuffix(path, "/"):
		return nil, IsDir
	case at.node == nil:
		if at.node, err = d.create(at, Regular); err != nil {
			return nil, err
		}
	case flags&Create != 0 && flags&Exclusive != 0:
		return nil, Exist
	case at.node.kind == Directory && flags&(Write|Create|Truncate) != 0:
		return nil, IsDir
	case at.node.kind != Directory && flags&OnlyDir != 0:
		return nil, NotDir
	case flags&Truncate != 0:
		d.resize(at.node, 0)
	}
	at.node.open++
	return &File{disk: d, node: at.node, flags: flags, life: d.life}, nil
}

// create makes a file or directory where there is nothing.
func (d *Disk) create(at place, kind Kind) (*node, error) {
	if d.config.Full || d.nodes >= maxNodes {
		return nil, NoSpace
	}
	d.nodes++
	d.last++
	n := newNode(d.last, kind)
	n.parent = at.dir
	at.dir.names[at.name] = n
	n.covers = d.log(change{kind: linked, dir: at.dir, name: at.name, node: n})
	at.dir.covers = n.covers
	return n, nil
}

// Mkdir makes a directory. Errors: those of the path, Exist, NotExist, NoSpace.
func (d *Disk) Mkdir(path string) error {
	at, err := d.find(path)
	switch {
	case err != nil:
		return err
	case at.node != nil:
		return Exist
	}
	_, err = d.create(at, Directory)
	return err
}

// Remove takes a file's name. Whoever has it open reads and writes on. Errors: those of the
// path, NotExist, IsDir.
func (d *Disk) Remove(path string) error {
	at, err := d.find(path)
	switch {
	case err != nil:
		return err
	case at.node == nil:
		return NotExist
	case at.node.kind == Directory:
		return IsDir
	}
	d.unlink(at)
	return nil
}

// RemoveDir removes an empty directory. Errors: those of the path, NotExist, NotDir,
// NotEmpty; Invalid for the root and for a path that ends in "." or "..".
func (d *Disk) RemoveDir(path string) error {
	at, err := d.find(path)
	switch {
	case err != nil:
		return err
	case at.node == nil:
		return NotExist
	case at.node.kind != Directory:
		return NotDir
	case at.name == "":
		return Invalid
	case len(at.node.names) > 0:
		return NotEmpty
	}
	d.unlink(at)
	return nil
}

func (d *Disk) unlink(at place) {
	delete(at.dir.names, at.name)
	at.dir.covers = d.log(change{kind: unlinked, dir: at.dir, name: at.name})
	d.drop(at.node)
}

// drop notes that a node has lost its name.
func (d *Disk) drop(n *node) {
	n.nameless = true
	d.release(n)
}

// release gives back the space of a node that nobody can reach any more.
func (d *Disk) release(n *node) {
	if n.nameless && n.open == 0 {
		d.nodes--
		d.used -= int64(len(n.pages))
	}
}

// Rename gives a file or directory another name, at once, in the place of what has that
// name now: a file for a file, an empty directory for a directory. Errors: those of the
// paths, NotExist, IsDir, NotDir, NotEmpty; Invalid for a directory that would come to be in
// itself, for the root and for a path that ends in "." or "..".
func (d *Disk) Rename(from, to string) error {
	source, err := d.find(from)
	if err != nil {
		return err
	}
	target, err := d.find(to)
	switch {
	case err != nil:
		return err
	case source.node == nil:
		return NotExist
	case source.name == "" || target.name == "":
		return Invalid
	case source.node.kind == Directory && target.dir.within(source.node):
		return Invalid
	case source.node.kind != Directory && strings.HasSuffix(to, "/"):
		return NotDir
	case source.node == target.node:
		return nil
	}
	if old := target.node; old != nil {
		switch {
		case source.node.kind != Directory && old.kind == Directory:
			return IsDir
		case source.node.kind == Directory && old.kind != Directory:
			return NotDir
		case len(old.names) > 0:
			return NotEmpty
		}
		d.drop(old)
	}
	delete(source.dir.names, source.name)
	target.dir.names[target.name] = source.node
	source.node.parent = target.dir
	seq := d.log(change{kind: renamed, dir: source.dir, name: source.name, toDir: target.dir, toName: target.name, node: source.node})
	source.dir.covers, target.dir.covers = seq, seq
	return nil
}

// Stat tells of what is at a path. Errors: those of the path, NotExist.
func (d *Disk) Stat(path string) (Stat, error) {
	at, err := d.find(path)
	switch {
	case err != nil:
		return Stat{}, err
	case at.node == nil:
		return Stat{}, NotExist
	}
	return at.node.stat(), nil
}

// SetTimes sets what Stat says of times. Errors: those of the path, NotExist.
func (d *Disk) SetTimes(path string, times Times) error {
	at, err := d.find(path)
	switch {
	case err != nil:
		return err
	case at.node == nil:
		return NotExist
	}
	at.node.times = times
	return nil
}

// Entry is one name in a directory.
type Entry struct {
	Name   string
	Kind   Kind
	Number uint64 // of the file, as in Stat
}

// List tells what is in a directory, by name. Errors: those of the path, NotExist, NotDir.
func (d *Disk) List(path string) ([]Entry, error) {
	at, err := d.find(path)
	switch {
	case err != nil:
		return nil, err
	case at.node == nil:
		return nil, NotExist
	case at.node.kind != Directory:
		return nil, NotDir
	}
	return at.node.list(), nil
}

func (n *node) list() []Entry {
	entries := make([]Entry, 0, len(n.names))
	for name, child := range n.names {
		entries = append(entries, Entry{Name: name, Kind: child.kind, Number: child.number})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries
}
