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

        return WithGradientsRead(tape, full, value);
    }

    /// <summary>
    /// Names a value [B, H, T, ..] that is made for readers and editors only. As a whole it is made for editors and for readers of all of it; for readers
    /// that want rows of it, these rows alone.
    /// </summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="name">The point's name.</param>
    /// <param name="whole">Records the whole value.</param>
    /// <param name="rows">Records the rows [R, H, ..] of tokens Int32 [R], numbered b · T + t; null where they are taken of the whole.</param>
    /// <returns>What is to be used in place of what was never made: what an editor put there, or what a gradient is read of; none where there is neither.</returns>
    public static Tensor At(Tape tape, string name, Func<Tensor> whole, Func<Tensor, Tensor>? rows = null)
    {
        if (!HasTaps(tape))
        {
            return default;
        }

        string full = FullName(tape, name);
        // A gradient comes back to what is used.
        bool isUsed = Editors(tape, full).Any() || GradientReaders(tape, full).Any();
        Tensor value = isUsed || Readers(tape, full).Any(r => r.Rows is null || rows is null) ? Edited(tape, full, whole()) : default;
        foreach (ITapReader reader in Readers(tape, full))
        {
            Read(tape, full, reader, reader.Rows is not { } wanted ? value
                : isUsed || rows is null ? RowsOf(tape, full, ByPlace(value), wanted)
                : rows(wanted.On(tape)));
        }

        return isUsed ? WithGradientsRead(tape, full, value) : default;
    }

    /// <summary>Names a value that nothing downstream uses, such as the load of experts: it can be read, not edited.</summary>
    public static void ReadOnly(Tape tape, string name, Tensor value)
    {
        if (IsEdited(tape, name))
        {
            throw new UserException($"tap {FullName(tape, name)}: can be read, not edited; nothing uses its value");
        }

        if (HasTaps(tape))
        {
            string full = FullName(tape, name);
            foreach (ITapReader reader in Readers(tape, full))
            {
                Tensor whole = BroadcastOp.Contiguous(tape, value);
                Read(tape, full, reader, reader.Rows is { } rows ? RowsOf(tape, full, whole, rows) : whole);
            }
        }
    }

    /// <summary>Whether a point is wanted: for values that are computed for readers only, such as attention patterns.</summary>
    public static bool IsWanted(Tape tape, string name) => HasTaps(tape) && Wants(tape, FullName(tape, name));

    /// <summary>Whether a point is edited: then a composed path is recorded that uses its value.</summary>
    public static bool IsEdited(Tape tape, string name) => HasTaps(tape) && Editors(tape, FullName(tape, name)).Any();

    /// <summary>Whether what follows uses something else than a point's value, or needs the point's own gradient: it is edited, or its gradient is read.</summary>
    internal static bool IsReplaced(Tape tape, string name) => IsEdited(tape, name) || (HasTaps(tape) && GradientReaders(tape, FullName(tape, name)).Any());

    /// <summary>What a module says of points that it does not make while decoding.</summary>
    /// <exception cref="UserException">One of them is edited.</exception>
    public static void RefuseWhileDecoding(Tape tape, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (IsEdited(tape, name))
            {
                throw new UserException($"tap {FullName(tape, name)}: cannot be edited while decoding with a cache");
            }
        }
    }

    /// <summary>Who reads what on a tape, in order.</summary>
    internal static IEnumerable<(ITapReader Reader, Layout Layout)> ReadsOf(Tape tape) =>
        tape.Nodes.Where(n => n.Op is ReadOp).Select(n => (((ReadOp)n.Op).Reader, n.Inputs[0].Layout));

    private static bool HasTaps(Tape tape) => tape.Taps is not null || tape.Edits is not null;

    private static bool Wants(Tape tape, string full) => Readers(tape, full).Any() || Editors(tape, full).Any() || GradientReaders(tape, full).Any();

    private static IEnumerable<ITapReader> Readers(Tape tape, string full) => tape.Taps?.Readers(full) ?? [];

    private static IEnumerable<ITapReader> GradientReaders(Tape tape, string full) => tape.Taps?.GradientReaders(full) ?? [];

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
    private static void Read(Tape tape, string full, ITapReader reader, Tensor value)
    {
        Tensor mask = Mask(tape, full, reader);
        mask = mask.IsNone ? mask : TapPlaces.OfKept(tape, value, mask);
        value = BroadcastOp.Contiguous(tape, mask.IsNone ? value : ByPlace(value, IsPattern(full)));
        RequirePlaces(tape, full, value, mask);
        tape.Record(new ReadOp(new TapReads(full, reader)), [value, mask], ReadOnlySpan<(Layout, DType)>.Empty);
    }

    private static Tensor WithGradientsRead(Tape tape, string full, Tensor value)
    {
        foreach (ITapReader reader in GradientReaders(tape, full))
        {
            if (!tape.HasBackward)
            {
                throw new UserException($"tap {full}{TapName.Gradient}: there is no gradient; what is recorded is not trained, so that it has no backward pass");
            }

            Tensor mask = Mask(tape, full, reader), rows = reader.Rows?.On(tape) ?? default;
            if (IsPattern(full) && !(mask.IsNone && rows.IsNone))
            {
                throw new UserException($"tap {full}{TapName.Gradient}: can be read as a whole only");
            }

            RequirePlaces(tape, full, value, mask.IsNone ? rows : mask);
            value = tape.Record(new ReadGradientOp(new TapReads(full + TapName.Gradient, reader)), [BroadcastOp.Contiguous(tape, value), mask, rows], value.Layout);
            tape.RequireGradient(value);
        }

        return value;
    }

    private static Tensor Mask(Tape tape, string full, ITapReader reader) => reader.Filter is not { } filter ? default
        : reader.Rows is null ? filter.Places(tape, full)
        : throw new ArgumentException($"tap {full}: a reader has rows and a filter; expected one of them");

    private static void RequirePlaces(Tape tape, string full, Tensor value, Tensor wanted)
    {
        if (!wanted.IsNone && !IsOfPlaces(tape, "", value))
        {
            throw new UserException($"tap {full}: {value} is not of places, so that some of them cannot be read");
        }
    }

    /// <summary>Whether a value is of the places of a recording: [B, T, ..], or what queries give keys [B, H, T, T].</summary>
    internal static bool IsOfPlaces(Tape tape, string full, Tensor value) =>
        value.Layout.Rank > 2 && tape.Input is { } input && value[0] == input.Batch && (value[IsPattern(full) ? 2 : 1] == input.Time || input.IsOfKept(value));

    /// <summary>Whether the places of a point are its third dimension: of what queries give keys, [B, H, T, T].</summary>
    internal static bool IsPattern(string full) => full.EndsWith("hook_pattern", StringComparison.Ordinal) || full.EndsWith("hook_attn_scores", StringComparison.Ordinal);

    // [B, H, T, T] to [B, T, H, T].
    private static Tensor ByPlace(Tensor value, bool isPattern = true) => isPattern ? value.Permute(0, 2, 1, 3) : value;

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
}
