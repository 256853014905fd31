using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>Puts what another run had at a point in its place. A value of other dimensions than the point has is told with both.</summary>
/// <param name="pattern">The points.</param>
/// <param name="values">What stood there, by name.</param>
/// <param name="source">Of which run, for messages.</param>
internal abstract class SourceEditor(string pattern, IReadOnlyDictionary<string, PointValues> values, string source) : ITapEditor
{
    public string Pattern => pattern;

    public Tensor Edit(Tape tape, string name, Tensor value)
    {
        PointValues found = values.GetValueOrDefault(name) ?? throw new UserException($"{source}: has no point {name}");
        int[] own = value.Layout.ToShape(), other = found.Shape;
        int first = FirstEqual;
        if (own.Length != other.Length || !own.AsSpan(first).SequenceEqual(other.AsSpan(first)))
        {
            throw new UserException($"tap {name}: is [{string.Join(", ", own)}] here and [{string.Join(", ", other)}] in {source}; a patch needs one shape");
        }

        return Edit(tape, name, value, found);
    }

    /// <summary>The first dimension in which the two must agree.</summary>
    protected abstract int FirstEqual { get; }

    protected abstract Tensor Edit(Tape tape, string name, Tensor value, PointValues found);

    protected string Source => source;

    /// <summary>Each position gets what stood at the same one of a text; those after its end stay.</summary>
    internal sealed class ByPosition(string pattern, IReadOnlyDictionary<string, PointValues> values, string source, TableStore tables)
        : SourceEditor(pattern, values, source)
    {
        protected override int FirstEqual => 2;

        protected override Tensor Edit(Tape tape, string name, Tensor value, PointValues found)
        {
            if (!Tap.IsOfPlaces(tape, name, value) || Tap.IsPattern(name))
            {
                throw new UserException($"tap {name}: is not of places, so that it cannot be patched place by place");
            }

            int places = found.Shape[1], width = found.Passes[0].Length / places;
            Table table = tables.Get($"{Source} {name}", Layout.Of(places, width), () => Array.ConvertAll(found.Passes[0], v => (double)v));
            // Tables stay in single precision where activations have 16 bits.
            Tensor rows = BroadcastOp.Record(tape, tape.Use(table), places, width);
            Tensor ids = IntegerMapOp.Record(tape, NanoFold.Kernels.Calls.IntegerOperation.Minimum, TapPlaces.Position(tape, name), number: places - 1);
            Tensor taken = TapPlaces.OfKept(tape, value, EmbeddingOp.Record(tape, rows, ids)).Reshape(value.Layout.ToShape());
            return ChooseOp.Record(tape, new TapPlaces { Before = places }.Mask(tape, name, value), taken, value);
        }
    }

    /// <summary>All places get what stood at one position of a text.</summary>
    internal sealed class OfPosition(string pattern, IReadOnlyDictionary<string, PointValues> values, string source, int position, TableStore tables)
        : SourceEditor(pattern, values, source)
    {
        protected override int FirstEqual => 2;

        protected override Tensor Edit(Tape tape, string name, Tensor value, PointValues found)
        {
            int places = found.Shape[1], width = found.Passes[0].Length / places, from = position < 0 ? places + position : position;
            if (from < 0 || from >= places)
            {
                throw new UserException($"{Source}: has {places} tokens, so that there is no position {position}");
            }

            int[] row = [.. found.Shape];
            (row[0], row[1]) = (1, 1);
            Table table = tables.Get($"{Source} {name} {from}", Layout.Of(row), () => [.. found.Passes[0].Skip(from * width).Take(width).Select(v => (double)v)]);
            return BroadcastOp.Record(tape, tape.Use(table), value.Layout.ToShape());
        }
    }

    /// <summary>Each pass gets what another model had in the same one, everywhere or from one position of each row.</summary>
    internal sealed class ByPass(string pattern, IReadOnlyDictionary<string, PointValues> values, string source, int? position)
        : SourceEditor(pattern, values, source)
    {
        protected override int FirstEqual => 0;

        protected override Tensor Edit(Tape tape, string name, Tensor value, PointValues found)
        {
            Tensor passes = tape.Record(new PassOp(found.Passes), [], value.Layout);
            if (position is not { } at)
            {
                return passes;
            }

            int from = at < 0 ? value[1] + at : at;
            return Tap.IsOfPlaces(tape, name, value) && !Tap.IsPattern(name) && from >= 0 && from < value[1]
                ? BroadcastOp.Record(tape, passes.Slice(1, from, 1), value.Layout.ToShape())
                : throw new UserException($"tap {name}: [{string.Join(", ", found.Shape)}] has no position {at}");
        }
    }
}

/// <summary>y = what the host has for the pass, one after the other, from the first again after the last.</summary>
internal sealed class PassOp(IReadOnlyList<float[]> passes) : Op
{
    private int _next;

    public override string Name => "patched pass";

    // Counts passes, so that it must run once in each.
    public override bool HasSideEffects => true;

    // What it writes comes from the host.
    public override bool ReadsBack => true;

    public override void Forward(Backend backend, OpCall call)
    {
        backend.Write(passes[_next], call.Output(0));
        _next = (_next + 1) % passes.Count;
    }
}
