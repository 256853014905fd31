using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>Shows what queries chose.</summary>
internal static class ListTap
{
    /// <summary>Names lists Int32 [B, L, T, n] of keys or blocks for readers, [B, T, L, n] as real numbers; −1 stands after the last. No point where nothing was chosen.</summary>
    public static void Show(Tape tape, string name, Tensor lists)
    {
        if (!lists.IsNone && Tap.IsWanted(tape, name))
        {
            Tap.ReadOnly(tape, name, IntegerConversionOp.Record(tape, lists.Permute(0, 2, 1, 3)));
        }
    }
}
