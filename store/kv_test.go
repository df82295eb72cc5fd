package store

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func newKV(t testing.TB) *kv {
	t.Helper()
	k, err := openKV()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.close() })
	return k
}

// content reads all of k.
func content(k *kv) map[string]string {
	all := map[string]string{}
	k.view(func(t *tx) {
		t.scan("", "", func(key, value string) bool {
			all[key] = value
			return true
		})
	})
	return all
}

// hashOf is the definition of the hash, from the content alone.
func hashOf(content map[string]string) (sum uint64) {
	for key, value := range content {
		sum += recordHash(key, value)
	}
	return sum
}

// Few keys, of which many are prefixes of others, so that everything collides.
var (
	anyKey   = rapid.StringMatching(`[ab]{1,3}(/[\x{0}-\x{2}\x{ff}]{0,2})?`)
	anyValue = rapid.StringN(0, 20, 40)
)

// kvModel holds a kv against a map, and its cuts against copies of the map.
type kvModel struct {
	kv    *kv
	model map[string]string
	cuts  []cutModel
}

type cutModel struct {
	cut  *cut
	want []former // what is still to be read, in order
}

func (m *kvModel) change(t *rapid.T, tr *tx, model map[string]string) {
	for range rapid.IntRange(1, 6).Draw(t, "changes") {
		key := anyKey.Draw(t, "key")
		if rapid.Bool().Draw(t, "put") {
			value := anyValue.Draw(t, "value")
			tr.put(key, value)
			model[key] = value
		} else {
			tr.del(key)
			delete(model, key)
		}
		got, ok := tr.get(key)
		want, wantOK := model[key]
		if got != want || ok != wantOK {
			t.Fatalf("get(%q) inside its transaction: %q, %v; want %q, %v", key, got, ok, want, wantOK)
		}
	}
}

func (m *kvModel) Update(t *rapid.T) {
	m.kv.update(func(tr *tx) { m.change(t, tr, m.model) })
}

func (m *kvModel) UpdateThatPanics(t *rapid.T) {
	lost := maps.Clone(m.model)
	defer func() {
		if got := recover(); got != "on purpose" {
			t.Fatalf("the panic did not go on up: %v", got)
		}
	}()
	m.kv.update(func(tr *tx) {
		m.change(t, tr, lost)
		panic("on purpose")
	})
}

func (m *kvModel) Scan(t *rapid.T) {
	prefix := rapid.OneOf(rapid.Just(""), anyKey).Draw(t, "prefix")
	from := rapid.OneOf(rapid.Just(""), anyKey).Draw(t, "from")
	limit := rapid.IntRange(1, 10).Draw(t, "limit")
	var up, down []string
	for _, key := range slices.Sorted(maps.Keys(m.model)) {
		if strings.HasPrefix(key, prefix) && key >= from {
			up = append(up, key)
		}
		if strings.HasPrefix(key, prefix) && (from == "" || key <= from) {
			down = append([]string{key}, down...)
		}
	}
	visit := func(got *[]string) func(key, value string) bool {
		return func(key, value string) bool {
			if value != m.model[key] {
				t.Fatalf("scan gives %q the value %q; want %q", key, value, m.model[key])
			}
			*got = append(*got, key)
			return len(*got) < limit
		}
	}
	var gotUp, gotDown []string
	m.kv.view(func(tr *tx) { tr.scan(prefix, from, visit(&gotUp)) })
	m.kv.view(func(tr *tx) { tr.scanDown(prefix, from, visit(&gotDown)) })
	if want := up[:min(len(up), limit)]; !slices.Equal(gotUp, want) {
		t.Fatalf("scan(%q, %q) = %q; want %q", prefix, from, gotUp, want)
	}
	if want := down[:min(len(down), limit)]; !slices.Equal(gotDown, want) {
		t.Fatalf("scanDown(%q, %q) = %q; want %q", prefix, from, gotDown, want)
	}
}

func (m *kvModel) Cut(t *rapid.T) {
	c := cutModel{cut: m.kv.cut()}
	for _, key := range slices.Sorted(maps.Keys(m.model)) {
		c.want = append(c.want, former{key: key, value: m.model[key]})
	}
	m.cuts = append(m.cuts, c)
}

func (m *kvModel) ReadCut(t *rapid.T) {
	if len(m.cuts) == 0 {
		t.Skip("no cut is open")
	}
	i := rapid.IntRange(0, len(m.cuts)-1).Draw(t, "cut")
	c, n := &m.cuts[i], rapid.IntRange(1, 5).Draw(t, "records")
	done := c.cut.read(func(key, value string) bool {
		if len(c.want) == 0 {
			t.Fatalf("cut %d gives %q, which was not there", i, key)
		}
		if want := c.want[0]; key != want.key || value != want.value {
			t.Fatalf("cut %d gives %q=%q; want %q=%q", i, key, value, want.key, want.value)
		}
		c.want = c.want[1:]
		n--
		return n > 0
	})
	if !done {
		return
	}
	if len(c.want) > 0 {
		t.Fatalf("cut %d ends before %q", i, c.want[0].key)
	}
	c.cut.close()
	m.cuts = slices.Delete(m.cuts, i, i+1)
}

func (m *kvModel) AbandonCut(t *rapid.T) {
	if len(m.cuts) == 0 {
		t.Skip("no cut is open")
	}
	m.cuts[0].cut.close()
	m.cuts = m.cuts[1:]
}

func (m *kvModel) Check(t *rapid.T) {
	if got := content(m.kv); !maps.Equal(got, m.model) {
		t.Fatalf("content %q; want %q", got, m.model)
	}
	if m.kv.len() != len(m.model) {
		t.Fatalf("len %d; want %d", m.kv.len(), len(m.model))
	}
	sizes := map[string]int{}
	for key := range m.model {
		sizes[key[:strings.Index(key, "/")+1]]++
	}
	for _, space := range []string{"", "a/", "b/", "ab/", "aaa/"} {
		if got := m.kv.count(space); got != sizes[space] {
			t.Fatalf("count(%q) = %d; want %d", space, got, sizes[space])
		}
	}
	if got, want := m.kv.hash(), hashOf(m.model); got != want {
		t.Fatalf("hash %x; want %x, which the content has", got, want)
	}
	if len(m.kv.cuts) != len(m.cuts) {
		t.Fatalf("%d cuts are kept up; %d are open", len(m.kv.cuts), len(m.cuts))
	}
}

func TestKVIsAMapThatCanBeCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, err := openKV()
		if err != nil {
			t.Fatal(err)
		}
		defer k.close()
		m := &kvModel{kv: k, model: map[string]string{}}
		t.Repeat(map[string]func(*rapid.T){
			"update": m.Update, "panic": m.UpdateThatPanics, "scan": m.Scan,
			"cut": m.Cut, "read": m.ReadCut, "abandon": m.AbandonCut, "": m.Check,
		})
	})
}

func TestKVRefusesWhatWouldHang(t *testing.T) {
	for name, misuse := range map[string]func(k *kv){
		"a transaction inside a transaction": func(k *kv) {
			k.update(func(*tx) { k.view(func(*tx) {}) })
		},
		"a put inside a scan": func(k *kv) {
			k.update(func(t *tx) {
				t.put("a", "")
				t.scan("", "", func(string, string) bool { t.put("b", ""); return true })
			})
		},
		"a del inside a scan": func(k *kv) {
			k.update(func(t *tx) {
				t.put("a", "")
				t.scan("", "", func(string, string) bool { t.del("a"); return true })
			})
		},
		"a put in a view":      func(k *kv) { k.view(func(t *tx) { t.put("a", "") }) },
		"a record without key": func(k *kv) { k.update(func(t *tx) { t.put("", "x") }) },
		"a closed map":         func(k *kv) { _ = k.close(); k.view(func(*tx) {}) },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKV(t)
			defer func() {
				text, _ := recover().(string)
				if !strings.HasPrefix(text, "store: ") {
					t.Fatalf("panic %q; want one that begins with the package's name", text)
				}
			}()
			misuse(k)
		})
	}
}

// A hash that changes makes every snapshot of an older version unreadable.
func TestRecordHashNeverChanges(t *testing.T) {
	for name, test := range map[string]struct {
		key, value string
		want       uint64
	}{
		"nothing":       {"", "", 0x91f36c137c2de6c5},
		"a short one":   {"job/backup", "x", 0x3ddd8801c9c4131e},
		"a whole word":  {"8 bytes.", "and a longer value of more than one word", 0x2099bcafde3444e4},
		"binary":        {"\x00\xff", "\x80\x00", 0x5691e6bac69d54c0},
		"key and value": {"ab", "c", 0xe256949e13ae8e0f},
		"moved between": {"a", "bc", 0xe6e0e08e0008116f},
	} {
		t.Run(name, func(t *testing.T) {
			if got := recordHash(test.key, test.value); got != test.want {
				t.Errorf("recordHash(%q, %q) = %#x; want %#x", test.key, test.value, got, test.want)
			}
		})
	}
}

// Each bit of a record moves each bit of the hash about every second time.
func TestRecordHashSpreads(t *testing.T) {
	const rounds = 400
	var flips [64]int
	changes := 0
	for round := range rounds {
		key, value := fmt.Sprintf("job/%05d", round), []byte(fmt.Sprintf("value %d of a record", round*7919))
		before := recordHash(key, string(value))
		for bit := range len(value) * 8 {
			value[bit/8] ^= 1 << (bit % 8)
			diff := before ^ recordHash(key, string(value))
			value[bit/8] ^= 1 << (bit % 8)
			changes++
			if n := bits.OnesCount64(diff); n < 8 || n > 56 {
				t.Fatalf("one bit of the value changes %d bits of the hash", n)
			}
			for i := range flips {
				flips[i] += int(diff >> i & 1)
			}
		}
	}
	for i, n := range flips {
		if share := n * 1000 / changes; share < 470 || share > 530 {
			t.Errorf("bit %d of the hash flips %d times in a thousand; want about 500", i, share)
		}
	}
}

func TestRecordHashTellsNeighboursApart(t *testing.T) {
	seen := map[uint64]string{}
	note := func(key, value string) {
		record := fmt.Sprintf("%q=%q", key, value)
		h := recordHash(key, value)
		if other, ok := seen[h]; ok {
			t.Fatalf("%s and %s have one hash", record, other)
		}
		seen[h] = record
	}
	for i := range 100_000 {
		note(fmt.Sprintf("job/%d", i), "")
	}
	for i := range 40 { // zeros: only their number tells them apart
		for j := range 40 {
			note(strings.Repeat("\x00", i), strings.Repeat("\x00", j))
		}
	}
}

func filledKV(b testing.TB, records int) *kv {
	k := newKV(b)
	value := strings.Repeat("v", 300)
	k.update(func(t *tx) {
		for i := range records {
			t.put(fmt.Sprintf("record/%08d", i), value)
		}
	})
	return k
}

func BenchmarkRecordHash(b *testing.B) {
	value := strings.Repeat("v", 300)
	b.SetBytes(300)
	for b.Loop() {
		recordHash("job/some-name", value)
	}
}

func BenchmarkGet(b *testing.B) {
	k := filledKV(b, 100_000)
	i := 0
	k.view(func(t *tx) {
		for b.Loop() {
			i = (i + 7919) % 100_000
			t.get(fmt.Sprintf("record/%08d", i))
		}
	})
}

// BenchmarkUpdate is what an apply of one fire costs: one read, four writes.
func BenchmarkUpdate(b *testing.B) {
	for name, cuts := range map[string]int{"no cut": 0, "a cut open": 1} {
		b.Run(name, func(b *testing.B) {
			k := filledKV(b, 100_000)
			for range cuts {
				defer k.cut().close()
			}
			value := strings.Repeat("w", 300)
			i := 0
			for b.Loop() {
				k.update(func(t *tx) {
					t.get(fmt.Sprintf("record/%08d", i))
					for range 4 {
						i = (i + 7919) % 100_000
						t.put(fmt.Sprintf("record/%08d", i), value)
					}
				})
			}
		})
	}
}
