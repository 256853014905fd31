using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>A named tensor of a <see cref="ParameterStore"/>, in a checkpoint under its name: a <see cref="Parameter"/> or a <see cref="StateTensor"/>.</summary>
public abstract class StoredTensor
{
    private protected StoredTensor(ParameterStore store, string name, Layout layout, Initializer initializer)
    {
        Store = store;
        Name = name;
        Layout = layout;
        Initializer = initializer;
    }

    /// <summary>Where its values are.</summary>
    public ParameterStore Store { get; }

    public string Name { get; }

    public Layout Layout { get; }

    /// <summary>How it starts where a seed decides.</summary>
    public Initializer Initializer { get; }

    /// <summary>Element type of the values that are stored.</summary>
    public abstract DType Type { get; }

    /// <summary>First element of its values, counted in elements of its own type.</summary>
    public long Offset { get; internal set; }

    public override string ToString() => $"{Name} {Layout}";
}

/// <summary>A tensor that gradients can train; its values and gradients live in its store, in the store's type.</summary>
public sealed class Parameter : StoredTensor
{
    internal Parameter(ParameterStore store, string name, Layout layout, ParameterRole role, Initializer initializer)
        : base(store, name, layout, initializer) => Role = role;

    public ParameterRole Role { get; }

    /// <summary>How it grew with the model's width; decides the factor on its learning rate.</summary>
    public Growth Growth { get; internal init; } = Growth.None;

    /// <inheritdoc/>
    public override DType Type => Held?.Type ?? Store.Type;

    /// <summary>Whether only products x Wᵀ and look-ups of rows read it, so that its values may have a type of files (<see cref="Backend.ReadsWeights"/>).</summary>
    public bool AllowsStoredTypes { get; internal set; }

    /// <summary>Its values where they are not among those of the store, see <see cref="IHoldingSource"/>.</summary>
    internal HeldValues? Held { get; set; }

    /// <summary>
    /// Not of the set that is trained, which is chosen by <see cref="ParameterStore.Allocate(IParameterSource?, Configuration.NameGlobs?)"/>: it has neither gradient nor
    /// optimizer slots. What is held (<see cref="IHoldingSource"/>) is not trained.
    /// </summary>
    public bool Frozen { get; internal set; }
}

/// <summary>
/// What a model keeps and no gradient moves, such as the bias that balances experts or a moving average: saved and resumed with the parameters, bit by bit.
/// It may have any type; real values are finite in a file.
/// </summary>
public sealed class StateTensor : StoredTensor
{
    internal StateTensor(ParameterStore store, string name, Layout layout, DType type, Initializer initializer)
        : base(store, name, layout, initializer) => Type = type;

    /// <inheritdoc/>
    public override DType Type { get; }
}
