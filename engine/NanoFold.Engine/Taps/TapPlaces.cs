using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Taps;

/// <summary>Which places of a pass, and which parts of what stands there, are read or edited. What is not given chooses all; of what is given all must hold.</summary>
public sealed record TapPlaces : ITapFilter
{
    /// <summary>Positions in the row, from 0; −1 is the last one. Empty for all.</summary>
    public IReadOnlyList<int> Positions { get; init; } = [];

    /// <summary>From this position on.</summary>
    [Bounds(0, int.MaxValue)]
    public int From { get; init; }

    /// <summary>Before this position only; null for no end.</summary>
    [Bounds(0, int.MaxValue)]
    public int? Before { get; init; }

    /// <summary>Where one of these tokens is read, by their numbers. Empty for all.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];

    /// <summary>Where one of these documents is read, by their numbers in the text from 0, where documents are told apart (<c>data.maskDocuments</c>). Empty for all.</summary>
    public IReadOnlyList<int> Documents { get; init; } = [];

    /// <summary>Of points with a dimension of heads, or of streams or chosen experts, these, from 0. Empty for all.</summary>
    public IReadOnlyList<int> Heads { get; init; } = [];

    /// <summary>Of the last dimension these elements, from 0: channels, hidden units, and of an attention pattern keys. Empty for all.</summary>
    public IReadOnlyList<int> Units { get; init; } = [];

    /// <summary>What is wrong with it.</summary>
    public IEnumerable<ConfigProblem> Validate(string path)
    {
        if (Before is { } before && before <= From)
        {
            yield return new ConfigProblem($"{path}.before", $"{before} is not after from = {From}, so that there is no place");
        }

        foreach ((string key, IReadOnlyList<int> list) in new[] { ("tokens", Tokens), ("documents", Documents), ("heads", Heads), ("units", Units) })
        {
            if (list.Any(index => index < 0))
            {
                yield return new ConfigProblem($"{path}.{key}", $"{list.First(index => index < 0)} is below 0");
            }
        }
    }

    /// <inheritdoc/>
    public Tensor Places(Tape tape, string name)
    {
        TapInput input = Input(tape, name);
        if (!input.Chosen.TryGetValue(this, out Tensor places))
        {
            places = Choose(tape, input, name);
            input.Chosen.Add(this, places);
        }

        return places;
    }

    private Tensor Choose(Tape tape, TapInput input, string name)
    {
        int[] shape = [input.Batch, input.Time];
        // [B, T], in the order of tests from cheap to dear; none so far.
        Tensor chosen = default;
        if (Positions.Count > 0 || From > 0 || Before is not null)
        {
            Tensor position = Position(tape, name);
            chosen = Positions.Count > 0 ? And(tape, chosen, AnyOf(tape, position, Positions.Select(p => PositionOf(input, name, p)))) : chosen;
            chosen = From > 0 ? And(tape, chosen, Not(tape, IntegerMapOp.Record(tape, IntegerOperation.Less, position, number: From))) : chosen;
            chosen = Before is { } before ? And(tape, chosen, IntegerMapOp.Record(tape, IntegerOperation.Less, position, number: before)) : chosen;
        }

        if (Tokens.Count > 0)
        {
            chosen = And(tape, chosen, AnyOf(tape, Required(input.Tokens, name, "the model reads features, so that places cannot be chosen by tokens"), Tokens));
        }

        if (Documents.Count > 0)
        {
            chosen = And(tape, chosen, AnyOf(tape, Required(input.Documents, name, "no documents are told apart here, so that places cannot be chosen by them"), Documents));
        }

        return IntegerConversionOp.Record(tape, chosen.IsNone ? IntegerRangeOp.Record(tape, shape, axis: 1, start: 1, step: 0) : chosen);
    }

    /// <summary>Records the position of each place in its row, Int32 [B, T].</summary>
    internal static Tensor Position(Tape tape, string name)
    {
        TapInput input = Input(tape, name);
        Tensor position = IntegerRangeOp.Record(tape, [input.Batch, input.Time], axis: 1);
        return input.IsDecoding ? IntegerMapOp.Record(tape, IntegerOperation.Add, position, input.Positions.Reshape(input.Batch, 1)) : position;
    }

    /// <summary>Of what is there for each place [B, T, ..], what a value is of: all of it, or that of the places that go on to the head [B, 1, ..].</summary>
    internal static Tensor OfKept(Tape tape, Tensor value, Tensor places)
    {
        if (tape.Input is not { } input || !input.IsOfKept(value))
        {
            return places;
        }

        int width = checked((int)(places.Layout.Count / (input.Batch * input.Time)));
        return EmbeddingOp.Record(tape, places.Reshape(input.Batch * input.Time, width), input.Kept).Reshape([input.Batch, 1, .. places.Layout.ToShape()[2..]]);
    }

    /// <summary>Records 1 where a value is meant, 0 elsewhere, with dimensions of length 1 where it does not matter; none where all of it is.</summary>
    internal Tensor Mask(Tape tape, string name, Tensor value)
    {
        int rank = value.Layout.Rank;
        bool isPattern = Tap.IsPattern(name), choosesPlaces = Positions.Count > 0 || From > 0 || Before is not null || Tokens.Count > 0 || Documents.Count > 0;
        Tensor mask = choosesPlaces ? OfPlaces(tape, name, value, isPattern) : default;
        if (Heads.Count > 0)
        {
            int axis = isPattern ? 1 : 2;
            mask = rank == 4 ? With(tape, mask, Along(tape, name, value, axis, Heads, "heads")) : throw new UserException($"tap {name}: {value} has no heads, so that some of them cannot be chosen");
        }

        return Units.Count > 0 ? With(tape, mask, Along(tape, name, value, rank - 1, Units, "units")) : mask;
    }

    private Tensor OfPlaces(Tape tape, string name, Tensor value, bool isPattern)
    {
        TapInput input = Input(tape, name);
        (int rank, int time) = (value.Layout.Rank, isPattern ? 2 : 1);
        bool isKept = input.IsOfKept(value);
        if (rank < 3 || value[0] != input.Batch || (value[time] != input.Time && !isKept))
        {
            throw new UserException($"tap {name}: {value} is not of places, so that some of them cannot be chosen");
        }

        Tensor chosen = OfKept(tape, value, Places(tape, name));
        int[] shape = [.. Enumerable.Repeat(1, rank)];
        (shape[0], shape[time]) = (input.Batch, isKept ? 1 : input.Time);
        return chosen.Reshape(shape);
    }

    private static Tensor Along(Tape tape, string name, Tensor value, int axis, IReadOnlyList<int> chosen, string what)
    {
        int length = value[axis], most = chosen.Max();
        if (most >= length)
        {
            throw new UserException($"tap {name}: has {length} {what}, from 0, so that there is no {most}");
        }

        int[] shape = [.. Enumerable.Repeat(1, value.Layout.Rank)];
        shape[axis] = length;
        return IntegerConversionOp.Record(tape, AnyOf(tape, IntegerRangeOp.Record(tape, shape, axis), chosen));
    }

    private static Tensor With(Tape tape, Tensor mask, Tensor other)
    {
        if (mask.IsNone)
        {
            return other;
        }

        int[] shape = [.. Enumerable.Range(0, mask.Layout.Rank).Select(axis => Math.Max(mask[axis], other[axis]))];
        return MultiplyOp.Record(tape, BroadcastOp.Record(tape, mask, shape), other);
    }

    private static TapInput Input(Tape tape, string name) => tape.Input ?? throw new UserException($"tap {name}: no model has begun to read, so that no places can be chosen");

    private static int PositionOf(TapInput input, string name, int position) => position >= 0 ? position
        : input.IsDecoding ? throw new UserException($"tap {name}: position {position} counts from the end, which is not known while decoding with a cache")
        : input.Time + position;

    private static Tensor Required(Tensor tensor, string name, string why) => tensor.IsNone ? throw new UserException($"tap {name}: {why}") : tensor;

    private static Tensor AnyOf(Tape tape, Tensor x, IEnumerable<int> values)
    {
        Tensor any = default;
        foreach (int value in values.Distinct())
        {
            Tensor equal = IntegerMapOp.Record(tape, IntegerOperation.Equal, x, number: value);
            any = any.IsNone ? equal : IntegerMapOp.Record(tape, IntegerOperation.Maximum, any, equal);
        }

        return any;
    }

    private static Tensor And(Tape tape, Tensor a, Tensor b) => a.IsNone ? b : IntegerMapOp.Record(tape, IntegerOperation.Multiply, a, b);

    private static Tensor Not(Tape tape, Tensor x) => IntegerMapOp.Record(tape, IntegerOperation.Equal, x, number: 0);
}
