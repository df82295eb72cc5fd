package gossip

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// Tags that the gossip sets itself, under the names that Dkron's users know. The first two
// are for placement, too.
const (
	tagDatacenter = "dc"
	tagRegion     = "region"
	tagServer     = "server"   // "true" on servers
	tagRPC        = "rpc_addr" // host:port
	tagPort       = "port"     // of it
	tagVersion    = "version"
	tagExpect     = "expect"    // servers to wait for before the first election
	tagBootstrap  = "bootstrap" // "1" on a server that expects itself only
)

var reserved = []string{tagDatacenter, tagRegion, tagServer, tagRPC, tagPort, tagVersion, tagExpect, tagBootstrap}

// Tags of our own, which nobody is shown, begin so.
const internal = "_"

const (
	tagIncarnation = internal + "inc" // base 36
	tagExecutors   = internal + "exec"
	tagLeft        = internal + "left" // the member says goodbye itself
)

// tagRole is a user's; who gives none is shown with ours, as Dkron does.
const (
	tagRole  = "role"
	roleOurs = "orrery"
)

// maxTags is what a member can tell of itself, in bytes.
const maxTags = memberlist.MetaMaxSize

// checkUser refuses a user's tags of names that are taken.
func checkUser(tags map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if slices.Contains(reserved, name) || strings.HasPrefix(name, internal) || name == "" {
			return fmt.Errorf("tag %q: the name is taken: a tag may have any name but %s, and does not begin with %q",
				name, strings.Join(reserved, ", "), internal)
		}
	}
	return nil
}

// own are the tags that follow from the configuration.
func (c Config) own(rpc, port string) map[string]string {
	tags := map[string]string{tagIncarnation: strconv.FormatUint(c.Incarnation, 36)}
	set := func(name, value string) {
		if value != "" {
			tags[name] = value
		}
	}
	set(tagDatacenter, c.Datacenter)
	set(tagRegion, c.Region)
	set(tagRPC, rpc)
	set(tagPort, port)
	set(tagVersion, c.Version)
	set(tagExecutors, strings.Join(c.Executors, ","))
	if c.Server {
		tags[tagServer] = "true"
		if c.Expect > 0 {
			tags[tagExpect] = strconv.Itoa(c.Expect)
		}
		if c.Expect == 1 {
			tags[tagBootstrap] = "1"
		}
	}
	return tags
}

// checkSize says by how much tags, and the one that says goodbye, are more than a member
// can tell, and which weigh most.
func checkSize(tags map[string]string) error {
	last := maps.Clone(tags)
	last[tagLeft] = "1"
	over := encodedSize(last) - maxTags
	if over <= 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(tags), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b)+len(tags[b]), len(a)+len(tags[a])), cmp.Compare(a, b))
	})
	var largest []string
	for _, name := range names[:min(3, len(names))] {
		largest = append(largest, fmt.Sprintf("%s (%d)", name, len(name)+len(tags[name])))
	}
	return fmt.Errorf("the tags of this member are %d bytes too long: want at most %d bytes of names and values, "+
		"those that are set by itself included; the largest are %s", over, maxTags, strings.Join(largest, ", "))
}

// encodedSize is the length of tags as serf sends them: a byte, and a map in msgpack.
func encodedSize(tags map[string]string) int {
	var b bytes.Buffer
	if err := codec.NewEncoder(&b, &codec.MsgpackHandle{}).Encode(tags); err != nil {
		panic("gossip: a map of strings cannot be encoded: " + err.Error())
	}
	return 1 + b.Len()
}

// incarnationOf reads the incarnation out of a member's tags as they travel. 0: there is none.
func incarnationOf(meta []byte) uint64 {
	var tags map[string]string
	if len(meta) == 0 || codec.NewDecoderBytes(meta[1:], &codec.MsgpackHandle{}).Decode(&tags) != nil {
		return 0
	}
	n, _ := strconv.ParseUint(tags[tagIncarnation], 36, 64)
	return n
}
