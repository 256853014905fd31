using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>Where modules name a point.</summary>
public static class Tap
{
    /// <summary>Names <paramref name="value"/>; returns it, or what an editor put in its place. Without anyone who wants the name nothing is recorded.</summary>
    public static Tensor At(Tape tape, string name, Tensor value)
    {
        if (tape.Taps is not { } taps)
        {
            return value;
        }

        string full = FullName(tape, name);
        foreach (ITapEditor editor in taps.Editors(full))
        {
            Tensor edited = editor.Edit(tape, full, value);
            value = edited.Layout.SameShape(value.Layout)
                ? edited
                : throw new InvalidOperationException($"tap {full}: the editor returned {edited}; expected {value}");
        }

        foreach (ITapReader reader in taps.Readers(full))
        {
            tape.Record(new ReadOp(full, reader), [value], ReadOnlySpan<(Layout, DType)>.Empty);
        }

        return value;
    }

    /// <summary>Names a value that nothing downstream uses, such as the load of experts: it can be read, not edited.</summary>
    public static void ReadOnly(Tape tape, string name, Tensor value)
    {
        if (IsEdited(tape, name))
        {
            throw new ArgumentException($"tap {FullName(tape, name)}: can be read, not edited; nothing uses its value");
        }

        _ = At(tape, name, value);
    }

    /// <summary>Whether a point is wanted: for values that are computed for readers only, such as attention patterns.</summary>
    public static bool IsWanted(Tape tape, string name) => tape.Taps is { } taps && taps.Wants(FullName(tape, name));

    /// <summary>Whether a point is edited: then a composed path is recorded that uses its value.</summary>
    public static bool IsEdited(Tape tape, string name) => tape.Taps is { } taps && taps.Editors(FullName(tape, name)).Any();

    private static string FullName(Tape tape, string name) => tape.Path.Length == 0 ? name : $"{tape.Path}.{name}";

    private sealed class ReadOp(string name, ITapReader reader) : Op
    {
        public override string Name => "tap";

        // Read once a run, however often the value is recomputed.
        public override bool HasSideEffects => true;

        public override bool ReadsBack => true;

        public override bool IsDifferentiable(int input) => false;

        public override void Forward(Backend backend, OpCall call) => reader.Read(new TapValue(name, backend, call.Input(0)));
    }
}
