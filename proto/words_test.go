package proto

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

// wire sends m over the wire: what comes back has no nil that was an empty map before.
func wire[T any, M interface {
	*T
	proto.Message
}](t interface{ Fatal(...any) }, m M) M {
	back := M(new(T))
	if err := proto.Unmarshal(Marshal(m), back); err != nil {
		t.Fatal(err)
	}
	return back
}

// fill sets every field under v to a value that is neither zero nor any other field's.
func fill(v reflect.Value, next *int64) {
	*next++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(0, *next).UTC()))
		return
	case []byte:
		v.SetBytes([]byte{byte(*next)})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), next)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, next)
		fill(value, next)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), next)
		fill(v.Index(1), next)
	case reflect.String:
		v.SetString("value " + time.Duration(*next).String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*next)
	case reflect.Uint64:
		v.SetUint(uint64(*next))
	case reflect.Uint8:
		v.SetUint(uint64(*next%255 + 1))
	default:
		panic("fill: no rule for " + v.Type().String())
	}
}

func filled[T any]() (v T) {
	var next int64
	fill(reflect.ValueOf(&v).Elem(), &next)
	return v
}

// empties names the fields of m, at any depth, that nothing has set.
func empties(m protoreflect.Message, path string) (names []string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := path + "." + string(field.Name())
		switch {
		case !m.Has(field):
			names = append(names, name)
		case field.IsMap():
		case field.Message() != nil && field.IsList():
			names = append(names, empties(m.Get(field).List().Get(0).Message(), name)...)
		case field.Message() != nil:
			names = append(names, empties(m.Get(field).Message(), name)...)
		}
	}
	return names
}

func TestEveryFieldOfAWordCrossesTheWire(t *testing.T) {
	for name, test := range map[string]struct {
		word  any
		there proto.Message
		back  func() any
	}{
		"job": {filled[orrery.Job](), FromJob(filled[orrery.Job]()),
			func() any { return ToJob(wire(t, FromJob(filled[orrery.Job]()))) }},
		"config": {filled[orrery.ClusterConfig](), FromConfig(filled[orrery.ClusterConfig]()),
			func() any { return ToConfig(wire(t, FromConfig(filled[orrery.ClusterConfig]()))) }},
		"result": {filled[orrery.Result](), FromResult(filled[orrery.Result]()),
			func() any { return ToResult(wire(t, FromResult(filled[orrery.Result]()))) }},
		"attempt": {filled[attempt](), filled[attempt]().from(),
			func() any { return toAttempt(wire(t, filled[attempt]().from())) }},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.word, test.back()); diff != "" {
				t.Errorf("not the same after the wire (- before, + after):\n%s", diff)
			}
			if unset := empties(test.there.ProtoReflect(), name); len(unset) > 0 {
				t.Errorf("fields of the wire that the conversion leaves out: %s", strings.Join(unset, ", "))
			}
		})
	}
}

// attempt is what FromAttempt takes, as one value.
type attempt struct {
	ID    orrery.AttemptID
	Fence orrery.Fence
}

func (a attempt) from() *orrerypb.AttemptRef { return FromAttempt(a.ID, a.Fence) }

func toAttempt(w *orrerypb.AttemptRef) attempt {
	id, fence := ToAttempt(w)
	return attempt{id, fence}
}

// The wire has no difference between an empty collection and none.
var sameWord = cmpopts.EquateEmpty()

// anyTime is any instant that the wire can tell from none: 1970 itself reads as none.
var anyTime = rapid.Custom(func(t *rapid.T) time.Time { return Time(rapid.Int64().Draw(t, "ns")) })

// counts that travel in 32 bits
var anySlot = rapid.IntRange(0, math.MaxUint32)

func anyWord[T any]() *rapid.Generator[T] {
	return rapid.MakeCustom[T](rapid.MakeConfig{
		Types: map[reflect.Type]*rapid.Generator[any]{reflect.TypeFor[time.Time](): anyTime.AsAny()},
		Fields: map[reflect.Type]map[string]*rapid.Generator[any]{
			reflect.TypeFor[orrery.AttemptID](): {"Slot": anySlot.AsAny(), "N": anySlot.AsAny()},
		},
	})
}

func TestWordsSurviveTheWire(t *testing.T) {
	t.Run("job", rapid.MakeCheck(func(t *rapid.T) {
		survives(t, anyWord[orrery.Job](), func(j orrery.Job) orrery.Job { return ToJob(wire(t, FromJob(j))) })
	}))
	t.Run("config", rapid.MakeCheck(func(t *rapid.T) {
		survives(t, anyWord[orrery.ClusterConfig](), func(c orrery.ClusterConfig) orrery.ClusterConfig { return ToConfig(wire(t, FromConfig(c))) })
	}))
	t.Run("result", rapid.MakeCheck(func(t *rapid.T) {
		survives(t, anyWord[orrery.Result](), func(r orrery.Result) orrery.Result { return ToResult(wire(t, FromResult(r))) })
	}))
	t.Run("attempt", rapid.MakeCheck(func(t *rapid.T) {
		survives(t, anyWord[attempt](), func(a attempt) attempt { return toAttempt(wire(t, a.from())) })
	}))
	t.Run("time", rapid.MakeCheck(func(t *rapid.T) {
		survives(t, anyTime, func(at time.Time) time.Time { return Time(Nanos(at)) })
	}))
}

func survives[T any](t *rapid.T, words *rapid.Generator[T], roundTrip func(T) T) {
	word := words.Draw(t, "word")
	if diff := cmp.Diff(word, roundTrip(word), sameWord); diff != "" {
		t.Fatalf("not the same after the wire (- before, + after):\n%s", diff)
	}
}

func TestWordsOfTheWireAreTotal(t *testing.T) {
	for name, test := range map[string]struct{ got, want any }{
		"no job is the zero job":            {ToJob(nil), orrery.Job{}},
		"no config is the zero config":      {ToConfig(nil), orrery.ClusterConfig{}},
		"no result is the zero result":      {ToResult(nil), orrery.Result{}},
		"no attempt is the zero attempt":    {toAttempt(nil), attempt{}},
		"the zero time is 0":                {Nanos(time.Time{}), int64(0)},
		"an instant comes back in UTC":      {Time(Nanos(time.Unix(5, 6).In(time.FixedZone("", 3600)))), time.Unix(5, 6).UTC()},
		"a job without retry carries none":  {FromJob(orrery.Job{}).Retry == nil, true},
		"an unknown enumeration stays":      {ToJob(&orrerypb.Job{Overlap: 77}).Overlap, orrery.Overlap(77)},
		"one beyond a byte stays unknown":   {ToJob(&orrerypb.Job{Overlap: 256}).Overlap, orrery.Overlap(255)},
		"also in a retry":                   {ToJob(&orrerypb.Job{Retry: &orrerypb.Retry{On: 1 << 20}}).Retry.On, orrery.RetryOn(255)},
		"and in a need":                     {ToJob(&orrerypb.Job{Needs: []*orrerypb.Need{{On: 512}}}).Needs[0].On, orrery.NeedOn(255)},
		"a processor without config stays":  {len(ToJob(&orrerypb.Job{Processors: map[string]*orrerypb.Processor{"log": nil}}).Processors), 1},
		"a need without a job is one still": {len(ToJob(&orrerypb.Job{Needs: []*orrerypb.Need{nil}}).Needs), 1},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.got); diff != "" {
				t.Errorf("(- want, + got):\n%s", diff)
			}
		})
	}
}
