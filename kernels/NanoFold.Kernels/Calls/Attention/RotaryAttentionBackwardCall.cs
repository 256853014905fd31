using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// As <see cref="AttentionBackwardCall"/>, of queries and keys that were turned by rotary positions: their gradients are turned back as they are stored, so that they are those of what was turned.
/// They are rounded to their type before. Gradients of queries and keys that are added to begin as 0: nothing else gives a part of them.
/// </summary>
/// <param name="Args">Of attention.</param>
/// <param name="Gradients">Of attention; dq and dk are those before the turn.</param>
/// <param name="Rotation">Of queries and keys.</param>
public readonly record struct RotaryAttentionBackwardCall(AttentionArgs Args, AttentionGradients Gradients, HeadRotation Rotation) : IKernelCall<RotaryAttentionBackwardCall>
{
    public static string Name => "rotary-attention-backward";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new AttentionBackwardCall(Args, Gradients).Cost;

    public void Check()
    {
        new AttentionShape(Name, Args).Check(Name, Gradients);
        foreach (View turned in (ReadOnlySpan<View>)[Args.Q, Args.K])
        {
            Rotation.InPlace(turned, inverse: true).Check();
        }
    }

    public RotaryAttentionBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Read), Gradients.Visit(ref visitor), Rotation.Visit(ref visitor));
}
