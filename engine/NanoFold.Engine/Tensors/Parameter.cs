using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>A named, trained tensor; its values and gradients live in its <see cref="ParameterStore"/>.</summary>
public sealed class Parameter
{
    internal Parameter(ParameterStore store, string name, Layout layout, ParameterRole role, Initializer initializer, bool frozen)
    {
        Store = store;
        Name = name;
        Layout = layout;
        Role = role;
        Initializer = initializer;
        Frozen = frozen;
    }

    /// <summary>Where its values are.</summary>
    public ParameterStore Store { get; }

    public string Name { get; }

    public Layout Layout { get; }

    public ParameterRole Role { get; }

    public Initializer Initializer { get; }

    /// <summary>Frozen parameters have neither gradient nor optimizer slots.</summary>
    public bool Frozen { get; }

    /// <summary>First element in the store's values.</summary>
    public long Offset { get; internal set; }

    public override string ToString() => $"{Name} {Layout}";
}
