package files

import (
	"strings"
	"testing"
)

// TestErrors holds what each call says of a disk with the file f, the empty directory e
// and the directory d with the file d/f.
func TestErrors(t *testing.T) {
	open := func(path string, flags Flags) func(*machine) error {
		return func(m *machine) error { _, err := m.Open(path, flags); return err }
	}
	mkdir := func(path string) func(*machine) error { return func(m *machine) error { return m.Mkdir(path) } }
	remove := func(path string) func(*machine) error { return func(m *machine) error { return m.Remove(path) } }
	removeDir := func(path string) func(*machine) error { return func(m *machine) error { return m.RemoveDir(path) } }
	rename := func(from, to string) func(*machine) error {
		return func(m *machine) error { return m.Rename(from, to) }
	}
	list := func(path string) func(*machine) error {
		return func(m *machine) error { _, err := m.List(path); return err }
	}
	const same = "d/ d/f=2 e/ f=1"
	tests := map[string]struct {
		do   func(*machine) error
		err  error
		tree string
	}{
		"open a file":                            {open("f", Read), nil, same},
		"open from the root":                     {open("//d/./f", Read), nil, same},
		"open by way of the parent":              {open("d/../e/../f", Read), nil, same},
		"open what is not there":                 {open("x", Read|Write), NotExist, same},
		"open in what is not there":              {open("x/f", Read|Create), NotExist, same},
		"open in a file":                         {open("f/x", Read|Create), NotDir, same},
		"open the parent of a file":              {open("f/..", Read), NotDir, same},
		"open a file as a directory":             {open("f", Read|OnlyDir), NotDir, same},
		"open a file with a slash":               {open("f/", Read), NotDir, same},
		"open a directory":                       {open("d", Read), nil, same},
		"open a directory only":                  {open("d/", Read|OnlyDir), nil, same},
		"open the root":                          {open("/", Read), nil, same},
		"open the root by a dot":                 {open(".", Read|OnlyDir), nil, same},
		"open a directory to write":              {open("d", Read|Write), IsDir, same},
		"open a directory to truncate":           {open("d", Read|Truncate), IsDir, same},
		"open a directory to create":             {open("d", Read|Create), IsDir, same},
		"create":                                 {open("d/x", Write|Create), nil, "d/ d/f=2 d/x= e/ f=1"},
		"create what is there":                   {open("f", Write|Create), nil, same},
		"create only what is there":              {open("f", Write|Create|Exclusive), Exist, same},
		"create only what is a directory":        {open("d", Write|Create|Exclusive), Exist, same},
		"create with a slash":                    {open("x/", Write|Create), IsDir, same},
		"create a directory by open":             {open("x", Create|OnlyDir), Invalid, same},
		"truncate":                               {open("f", Write|Truncate), nil, "d/ d/f=2 e/ f="},
		"no path":                                {open("", Read), Invalid, same},
		"a path that leaves the root":            {open("d/../../f", Read), Invalid, same},
		"the parent of the root":                 {open("/..", Read), Invalid, same},
		"a zero in a path":                       {open("f\x00", Write|Create), Invalid, same},
		"the longest name":                       {open(strings.Repeat("n", 255), Read), NotExist, same},
		"a longer name":                          {open(strings.Repeat("n", 256), Write|Create), NameTooLong, same},
		"a longer path":                          {open(strings.Repeat("d/../", 820)+"f", Read), NameTooLong, same},
		"make a directory":                       {mkdir("d/x/"), nil, "d/ d/f=2 d/x/ e/ f=1"},
		"make a directory that is there":         {mkdir("d"), Exist, same},
		"make a directory that is a file":        {mkdir("f"), Exist, same},
		"make the root":                          {mkdir("/"), Exist, same},
		"make a directory in nothing":            {mkdir("x/y"), NotExist, same},
		"remove a file":                          {remove("d/f"), nil, "d/ e/ f=1"},
		"remove a file with a slash":             {remove("f/"), NotDir, same},
		"remove nothing":                         {remove("x"), NotExist, same},
		"remove a directory as a file":           {remove("e"), IsDir, same},
		"remove a directory":                     {removeDir("e/"), nil, "d/ d/f=2 f=1"},
		"remove a directory that holds a file":   {removeDir("d"), NotEmpty, same},
		"remove a file as a directory":           {removeDir("f"), NotDir, same},
		"remove no directory":                    {removeDir("x"), NotExist, same},
		"remove the root":                        {removeDir("/"), Invalid, same},
		"remove a directory by a dot":            {removeDir("e/."), Invalid, same},
		"rename":                                 {rename("f", "e/x"), nil, "d/ d/f=2 e/ e/x=1"},
		"rename over a file":                     {rename("f", "d/f"), nil, "d/ d/f=1 e/"},
		"rename to itself":                       {rename("f", "e/../f"), nil, same},
		"rename a file over a directory":         {rename("f", "e"), IsDir, same},
		"rename a file to a directory":           {rename("f", "x/"), NotDir, same},
		"rename nothing":                         {rename("x", "y"), NotExist, same},
		"rename into nothing":                    {rename("f", "x/f"), NotExist, same},
		"rename into a file":                     {rename("d", "f/d"), NotDir, same},
		"rename a directory":                     {rename("d", "e/x/"), nil, "e/ e/x/ e/x/f=2 f=1"},
		"rename a directory over an empty one":   {rename("d", "e"), nil, "e/ e/f=2 f=1"},
		"rename a directory over a full one":     {rename("e", "d"), NotEmpty, same},
		"rename a directory over a file":         {rename("d", "f"), NotDir, same},
		"rename a directory into itself":         {rename("d", "d/x"), Invalid, same},
		"rename the root":                        {rename("/", "x"), Invalid, same},
		"rename to the root":                     {rename("d", "/"), Invalid, same},
		"rename by a dot":                        {rename("d/.", "x"), Invalid, same},
		"list a file":                            {list("f"), NotDir, same},
		"list nothing":                           {list("x"), NotExist, same},
		"the parent of a directory that moved":   {func(m *machine) error { must(m.Rename("d", "e/x")); _, err := m.Stat("e/x/../x/f"); return err }, nil, "e/ e/x/ e/x/f=2 f=1"},
		"a directory deep within one that moves": {func(m *machine) error { must(m.Rename("e", "d/e")); return m.Rename("d", "d/e/d") }, Invalid, "d/ d/e/ d/f=2 f=1"},
		"times of nothing":                       {func(m *machine) error { return m.SetTimes("x", Times{}) }, NotExist, same},
		"what is known of nothing":               {func(m *machine) error { _, err := m.Stat("x"); return err }, NotExist, same},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(1, steady())
			m.put("f", "1")
			must(m.Mkdir("e"))
			must(m.Mkdir("d"))
			m.put("d/f", "2")
			if err := test.do(m); err != test.err {
				t.Errorf("%v, want %v", err, test.err)
			}
			want(t, "tree", m.tree(), test.tree)
		})
	}
}

func TestStat(t *testing.T) {
	m := newMachine(1, steady())
	must(m.Mkdir("d"))
	m.put("d/f", "text")
	must(m.SetTimes("d/f", Times{Accessed: 1, Modified: 2}))
	got, err := m.Stat("d/f")
	if wanted := (Stat{Kind: Regular, Number: 2, Size: 4, Times: Times{1, 2}}); got != wanted || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, wanted)
	}
	f := m.open("d/f", Read)
	must(f.SetTimes(Times{3, 4}))
	m.sync("d/f")
	m.PowerLoss()
	if again, err := m.Stat("d/f"); again.Times != (Times{3, 4}) || again.Number != got.Number || err != nil {
		t.Errorf("after a power loss %+v, %v", again, err)
	}
	if root, err := m.Stat("/"); root != (Stat{Kind: Directory}) || err != nil {
		t.Errorf("the root is %+v, %v", root, err)
	}
}

// TestEntriesKeepTheirPlace removes and makes names while somebody goes through them.
func TestEntriesKeepTheirPlace(t *testing.T) {
	m := newMachine(1, steady())
	for _, name := range []string{"d", "b", "a", "c"} {
		m.put(name, name)
	}
	f := m.open("/", Read|OnlyDir)
	names := func(skip uint64) string {
		entries, err := f.Entries(skip)
		must(err)
		var all []string
		for _, e := range entries {
			all = append(all, e.Name)
		}
		return strings.Join(all, " ")
	}
	want(t, "all", names(0), "a b c d")
	must(m.Remove("a"))
	must(m.Remove("b"))
	m.put("0", "")
	want(t, "the rest", names(2), "c d")
	want(t, "behind the end", names(4), "")
	want(t, "far behind the end", names(1<<63), "")
	want(t, "anew", names(0), "0 c d")
	f = m.open("/", Read|OnlyDir)
	want(t, "a rest that nobody began", names(1), "c d")
	file := m.open("c", Read)
	_, err := file.Entries(0)
	wantErr(t, "of a file", err, NotDir)
}

func TestRemovedFileLivesUntilClosed(t *testing.T) {
	m := newMachine(1, steady())
	m.put("f", "text")
	f := m.open("f", Read|Write)
	must(m.Remove("f"))
	m.put("f", "other")
	_, err := f.Append([]byte("+"))
	must(err)
	b := make([]byte, 5)
	_, err = f.ReadAt(b, 0)
	must(err)
	want(t, "the removed one", string(b), "text+")
	want(t, "the new one", m.text("f"), "other")
	if m.Len() != 2 || m.Used() != 2*blockSize {
		t.Errorf("%d files, %d bytes while it is open", m.Len(), m.Used())
	}
	must(f.Close())
	if m.Len() != 1 || m.Used() != blockSize {
		t.Errorf("%d files, %d bytes once it is closed", m.Len(), m.Used())
	}
}
