package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// vocabulary is a closed list of words of one kind.
type vocabulary[T ~string] struct {
	kind string // what the words are: "verb", "promise"
	now  []T
}

func (v vocabulary[T]) has(word string) bool { return slices.Contains(v.now, T(word)) }

// read takes the next word of l, which must be one of v.
func (v vocabulary[T]) read(l *line) T {
	word := l.word(article(v.kind) + " (" + v.list() + ")")
	if l.ok() && !v.has(word) {
		l.fail(v.refusal(word))
	}
	return T(word)
}

// refusal says why word is not understood.
func (v vocabulary[T]) refusal(word string) string {
	return fmt.Sprintf("unknown %s %s%s (understood are %s)", v.kind, quote(word), didYouMean(word, v.now), v.list())
}

func (v vocabulary[T]) list() string { return join(v.now) }

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// article puts a or an before a noun.
func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// didYouMean offers the known word that is nearest to a misspelt one, as a clause for an error, or nothing.
func didYouMean[T ~string](word string, known []T) string {
	if best, ok := nearest(word, known); ok {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}

// nearest finds the first of the known words that take the fewest edits to reach, at most two, and at most half the word: of a
// word of two letters nothing is left after two edits.
func nearest[T ~string](word string, known []T) (best T, ok bool) {
	limit := min(2, len(word)/2)
	for _, k := range known {
		if d, near := distance(word, string(k), limit); near {
			best, ok, limit = k, true, d-1
		}
	}
	return best, ok
}

// distance counts the letters to insert, delete, replace or swap with their neighbour that lead from a to b, and says whether
// that is within the limit. Words whose lengths alone tell are not looked at.
func distance(a, b string, limit int) (int, bool) {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return 0, false
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	d := rows[len(a)][len(b)]
	return d, d <= limit
}

// maxQuoted keeps an error on one line of a terminal, whatever stands in the file.
const maxQuoted = 40

// quote shows a word of the file in an error.
func quote(word string) string {
	if runes := []rune(word); len(runes) > maxQuoted {
		word = string(runes[:maxQuoted]) + "…"
	}
	return strconv.Quote(word)
}
