using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Something else stands in the place of every token's value: a vector, or what stood there in another run, for another prompt or at another position.</summary>
public sealed record PatchConfig : EditConfig
{
    /// <summary>What stands there: a number for each element of the point's last dimension, or one for all. Nothing flows back through it.</summary>
    public IReadOnlyList<double> Value { get; init; } = [];

    /// <summary>Where it is taken from, in place of <c>value</c>: a <c>position</c> of the same row, or with <c>intervene</c> and <c>generate</c> a <c>prompt</c>, a <c>model</c>; null for a value.</summary>
    public PatchSource? From { get; init; }

    internal override bool TakesFromARun => From is { IsOfARun: true };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path) =>
    [
        .. base.Validate(path),
        .. From is null ? GivenVector.Problem(Value, $"{path}.value") is { } problem ? [problem] : Array.Empty<ConfigProblem>()
            : Value.Count > 0 ? [new ConfigProblem($"{path}.value", $"is given beside {path}.from; give one of the two")]
            : From.Validate($"{path}.from"),
    ];

    /// <inheritdoc/>
    public override ITapEditor Build(TableStore tables) => From switch
    {
        null => new Editor(Points, GivenVector.Of(tables, Value)),
        { IsOfARun: true } => throw new InvalidOperationException("patch: takes values of another run, which are not here"),
        _ => new FromPosition(Points, From.Position!.Value),
    };

    private sealed class Editor(string pattern, Table vector) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor replaced) => GivenVector.Record(tape, name, replaced, vector);
    }

    // What stands at one position of the same row, at all of them; gradients go back to it.
    private sealed class FromPosition(string pattern, int position) : ITapEditor
    {
        public string Pattern => pattern;

        public Tensor Edit(Tape tape, string name, Tensor replaced)
        {
            if (!Tap.IsOfPlaces(tape, name, replaced) || Tap.IsPattern(name))
            {
                throw new UserException($"tap {name}: {replaced} is not of places, so that one cannot stand for the others");
            }

            if (tape.Input!.IsDecoding)
            {
                throw new UserException($"tap {name}: cannot be patched from another position while decoding with a cache; give the prompt with it, as in {{\"prompt\": …, \"position\": {position}}}");
            }

            int time = replaced[1], from = position < 0 ? time + position : position;
            return from >= 0 && from < time
                ? BroadcastOp.Record(tape, replaced.Slice(1, from, 1), replaced.Layout.ToShape())
                : throw new UserException($"tap {name}: there is no position {position} among {time}");
        }
    }
}

/// <summary>Where the values of a patch are taken from: the same run without anything given but a position.</summary>
public sealed record PatchSource
{
    /// <summary>Another model: a run folder or a checkpoint of it; null for the same. Without a prompt it reads what the edited one reads.</summary>
    public string? Model { get; init; }

    /// <summary>Another text; each position is patched from the same one in it, and those after its end stay. Null for the same text.</summary>
    public string? Prompt { get; init; }

    /// <summary>The position whose value is put at all places, from 0, −1 for the last one; null for each from its own.</summary>
    public int? Position { get; init; }

    internal bool IsOfARun => Model is not null || Prompt is not null;

    internal IEnumerable<ConfigProblem> Validate(string path) => IsOfARun || Position is not null
        ? []
        : [new ConfigProblem(path, "says nothing; give a model, a prompt, a position, or several of them")];
}

/// <summary>Puts a given value, for example one read from another run, in the place of a point; nothing flows back through it.</summary>
/// <param name="pattern">Names it patches.</param>
/// <param name="value">Of the point's shape, or with dimensions of length 1 that are repeated.</param>
public sealed class Patch(string pattern, View value) : ITapEditor
{
    public string Pattern { get; } = pattern;

    public Tensor Edit(Tape tape, string name, Tensor replaced) =>
        BroadcastOp.Record(tape, tape.External(name, value), replaced.Layout.ToShape());
}
