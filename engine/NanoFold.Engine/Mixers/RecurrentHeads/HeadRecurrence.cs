using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>The recurrence of a mixer's heads, see <see cref="RecurrentHeadsOp"/>: over a batch, or from the state that decoding keeps.</summary>
/// <param name="builder">The mixer's.</param>
/// <param name="heads">H.</param>
/// <param name="keyWidth">DK.</param>
/// <param name="valueWidth">DV.</param>
/// <param name="scale">Factor on what is read.</param>
public sealed class HeadRecurrence(ModuleBuilder builder, int heads, int keyWidth, int valueWidth, double scale)
{
    private const string Slot = "state", FinalState = "hook_final_state";

    /// <summary>Its point: S after the last token.</summary>
    public TapPoint Point => new($"attn.{FinalState}", $"B {heads} {keyWidth} {valueWidth}") { IsReadOnly = true };

    /// <summary>What is read of the states [B, T, H, DV] by q and written by k [B, T, G, DK] and v [B, T, H, DV].</summary>
    public Tensor Run(ForwardContext context, Tensor q, Tensor k, Tensor v, Tensor decay = default, Tensor beta = default)
    {
        Tape tape = context.Tape;
        bool isWanted = Tap.IsWanted(tape, FinalState);
        if (context.Cache is { } cache)
        {
            Tensor kept = cache.Use(tape, builder.Layer, Slot), read = RecurrentHeadsOp.Decode(tape, q, k, v, decay, beta, kept, context.Counts, context.Continues(), scale);
            if (isWanted)
            {
                Tap.ReadOnly(tape, FinalState, kept);
            }

            return read;
        }

        if (!isWanted)
        {
            return RecurrentHeadsOp.Record(tape, q, k, v, decay, beta, context.Continues(), scale);
        }

        (Tensor y, Tensor state) = RecurrentHeadsOp.RecordWithState(tape, q, k, v, decay, beta, context.Continues(), scale);
        Tap.ReadOnly(tape, FinalState, state);
        return y;
    }

    /// <summary>What decoding keeps: S, in the type of sums.</summary>
    public StateSlot State(int batch) => new(Slot, Layout.Of(batch, heads, keyWidth, valueWidth), builder.Type.Sum(), StateStart.Zero);
}
