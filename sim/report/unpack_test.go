package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"regexp"
	"testing"
	"time"

	"orrery/sim"
)

// This file reads a page back, as data.js does in the browser.

var dataOf = regexp.MustCompile(`(?s)<script type="text/plain" id="data">(.*?)</script>`)

// unpacked is what a page holds, as data.js reads it.
type unpacked struct {
	picture picture
	records []sim.Record // Data is the text of the message, if there is one
}

// unpack reads a page back.
func unpack(t testing.TB, page string) unpacked {
	t.Helper()
	found := dataOf.FindStringSubmatch(page)
	if found == nil {
		t.Fatal("the page holds no data")
	}
	packed, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return readBack(plain)
}

func readBack(plain []byte) unpacked {
	var u unpacked
	var parts [][]byte
	for len(plain) > 0 {
		n := binary.LittleEndian.Uint32(plain)
		parts = append(parts, plain[4:4+n])
		plain = plain[4+n:]
	}
	if err := json.Unmarshal(parts[0], &u.picture); err != nil {
		panic(err) // only what was just packed is read
	}
	u.readColumns(parts[1:])
	return u
}

func (u *unpacked) readColumns(c [][]byte) {
	words, next := splitWords(c[8], c[9]), 0
	word := func(column *[]byte) string {
		switch n := take(column); n {
		case 0:
			return ""
		case 1:
			next++
			return words[next-1]
		default:
			return words[n-2]
		}
	}
	var last sim.Record
	for i := range u.picture.Records {
		r := sim.Record{Step: last.Step + take(&c[0]), At: last.At + time.Duration(take(&c[2]))*time.Microsecond}
		if back := take(&c[1]); back > 0 {
			r.Cause = r.Step - back
		}
		r.Kind = sim.Kind(c[3][i] & 15)
		r.Member = u.picture.Lanes[take(&c[4])].Name
		r.Actor, r.What = word(&c[5]), word(&c[6])
		if text := word(&c[7]); text != "" {
			r.Data = text
		}
		u.records = append(u.records, r)
		last = r
	}
}

func take(column *[]byte) uint64 {
	n, size := binary.Uvarint(*column)
	*column = (*column)[size:]
	return n
}

func splitWords(lengths, all []byte) []string {
	var words []string
	for len(lengths) > 0 {
		n := take(&lengths)
		words = append(words, string(all[:n]))
		all = all[n:]
	}
	return words
}
