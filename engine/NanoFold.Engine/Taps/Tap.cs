using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Where modules name a point.</summary>
public static class Tap
{
    /// <summary>Names <paramref name="value"/>; returns it, or what an editor put in its place. Without anyone who wants the name nothing is recorded.</summary>
    public static Tensor At(Tape tape, string name, Tensor value)
    {
        if (!HasTaps(tape))
        {
            return value;
        }

        string full = FullName(tape, name);
        // Readers copy from one stretch of memory; a part of another value is none.
        value = Edited(tape, full, Wants(tape, full) ? BroadcastOp.Contiguous(tape, value) : value);
        foreach (ITapReader reader in Readers(tape, full))
        {
            Read(tape, full, reader, reader.Rows is { } rows ? RowsOf(tape, full, value, rows) : value);
        }

        return value;
    }

    /// <summary>
    /// Names a value [B, H, T, ..] that is made for readers and editors only. As a whole it is made for editors and for readers of all of it; for readers
    /// that want rows of it, these rows alone.
    /// </summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="name">The point's name.</param>
    /// <param name="whole">Records the whole value.</param>
    /// <param name="rows">Records the rows [R, H, ..] of tokens Int32 [R], numbered b · T + t.</param>
    /// <returns>What an editor put in the value's place, or none where nothing was edited.</returns>
    public static Tensor At(Tape tape, string name, Func<Tensor> whole, Func<Tensor, Tensor> rows)
    {
        if (!HasTaps(tape))
        {
            return default;
        }

        string full = FullName(tape, name);
        bool isEdited = Editors(tape, full).Any();
        Tensor value = isEdited || Readers(tape, full).Any(r => r.Rows is null) ? Edited(tape, full, whole()) : default;
        foreach (ITapReader reader in Readers(tape, full))
        {
            Read(tape, full, reader, reader.Rows is not { } wanted ? value
                : isEdited ? RowsOf(tape, full, value.Permute(0, 2, 1, 3), wanted)
                : rows(wanted.On(tape)));
        }

        return isEdited ? value : default;
    }

    /// <summary>Names a value that nothing downstream uses, such as the load of experts: it can be read, not edited.</summary>
    public static void ReadOnly(Tape tape, string name, Tensor value)
    {
        if (IsEdited(tape, name))
        {
            throw new UserException($"tap {FullName(tape, name)}: can be read, not edited; nothing uses its value");
        }

        _ = At(tape, name, value);
    }

    /// <summary>Whether a point is wanted: for values that are computed for readers only, such as attention patterns.</summary>
    public static bool IsWanted(Tape tape, string name) => HasTaps(tape) && Wants(tape, FullName(tape, name));

    /// <summary>Whether a point is edited: then a composed path is recorded that uses its value.</summary>
    public static bool IsEdited(Tape tape, string name) => HasTaps(tape) && Editors(tape, FullName(tape, name)).Any();

    /// <summary>What a module throws where a point is edited that it does not make while decoding.</summary>
    public static UserException NotWhileDecoding(Tape tape, string name) => new($"tap {FullName(tape, name)}: cannot be edited while decoding with a cache");

    /// <summary>Who reads what on a tape, in order.</summary>
    internal static IEnumerable<(ITapReader Reader, Layout Layout)> ReadsOf(Tape tape) =>
        tape.Nodes.Where(n => n.Op is ReadOp).Select(n => (((ReadOp)n.Op).Reader, n.Inputs[0].Layout));

    private static bool HasTaps(Tape tape) => tape.Taps is not null || tape.Edits is not null;

    private static bool Wants(Tape tape, string full) => Readers(tape, full).Any() || Editors(tape, full).Any();

    private static IEnumerable<ITapReader> Readers(Tape tape, string full) => tape.Taps?.Readers(full) ?? [];

    // The model's own come first: they are part of it.
    private static IEnumerable<ITapEditor> Editors(Tape tape, string full) => [.. tape.Edits?.Editors(full) ?? [], .. tape.Taps?.Editors(full) ?? []];

    private static Tensor Edited(Tape tape, string full, Tensor value)
    {
        foreach (ITapEditor editor in Editors(tape, full))
        {
            Tensor edited = editor.Edit(tape, full, value);
            value = edited.Layout.SameShape(value.Layout)
                ? edited
                : throw new InvalidOperationException($"tap {full}: the editor returned {edited}; expected {value}");
        }

        return value;
    }

    // A part of a larger value is copied for readers.
    private static void Read(Tape tape, string full, ITapReader reader, Tensor value) =>
        tape.Record(new ReadOp(full, reader), [BroadcastOp.Contiguous(tape, value)], ReadOnlySpan<(Layout, DType)>.Empty);

    // [B, T, ..] to [R, ..].
    private static Tensor RowsOf(Tape tape, string full, Tensor value, TapRows rows)
    {
        int[] shape = value.Layout.ToShape();
        if (shape.Length < 3)
        {
            throw new ArgumentException($"tap {full}: {value} is not of tokens, so rows of it cannot be read");
        }

        int tokens = shape[0] * shape[1];
        Tensor flat = BroadcastOp.Contiguous(tape, value).Reshape(tokens, (int)(value.Layout.Count / tokens));
        return EmbeddingOp.Record(tape, flat, rows.On(tape)).Reshape([rows.Count, .. shape[2..]]);
    }

    private static string FullName(Tape tape, string name) => tape.Path.Length == 0 ? name : $"{tape.Path}.{name}";

    private sealed class ReadOp(string name, ITapReader reader) : Op
    {
        public override string Name => "tap";

        public ITapReader Reader => reader;

        // Read once a run, however often the value is recomputed.
        public override bool HasSideEffects => true;

        public override bool ReadsBack => true;

        public override bool IsDifferentiable(int input) => false;

        public override void Forward(Backend backend, OpCall call) => reader.Read(new TapValue(name, backend, call.Input(0)));
    }
}
