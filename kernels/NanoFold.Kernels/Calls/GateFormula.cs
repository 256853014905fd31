namespace NanoFold.Kernels.Calls;

/// <summary>What lies between the matrices of a gated feed-forward, f(gate, up) element by element, and its gradients: for calls that apply it where a product ends.</summary>
/// <param name="Name">As in <c>silu</c>.</param>
public abstract record GateFormula(string Name)
{
    /// <summary>Shows what it is made of.</summary>
    public abstract void Show<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IGateVisitor, allows ref struct;
}

/// <summary>A formula that is made of those of elementwise calls.</summary>
/// <typeparam name="TValue">f(gate, up).</typeparam>
/// <typeparam name="TGradients">dGate and dUp of (gate, up, dy).</typeparam>
/// <param name="Name">As in <c>silu</c>.</param>
public sealed record GateFormula<TValue, TGradients>(string Name) : GateFormula(Name)
    where TValue : struct, IBinaryOp
    where TGradients : struct, IPairOp
{
    public override void Show<TVisitor>(ref TVisitor visitor) => visitor.Visit<TValue, TGradients>();
}

/// <summary>Does something with a <see cref="GateFormula"/>, whatever it is made of.</summary>
public interface IGateVisitor
{
    void Visit<TValue, TGradients>()
        where TValue : struct, IBinaryOp
        where TGradients : struct, IPairOp;
}
