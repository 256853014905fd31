using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// What an optimizer remembers of each element of some roles from step to step, such as a moment: one number each, 0 at first, in the order of the store.
/// Checkpoints have it under its name.
/// </summary>
public sealed class OptimizerSlot : IDisposable
{
    private readonly DeviceBuffer? _buffer;

    // Where a role begins, by role; -1 where it has none.
    private readonly long[] _starts;

    internal OptimizerSlot(ParameterStore store, string name, IEnumerable<ParameterRole> roles)
    {
        Name = name;
        Type = store.Type;
        _starts = new long[Enum.GetValues<ParameterRole>().Length];
        Array.Fill(_starts, -1);
        foreach (ParameterRole role in roles.Order())
        {
            _starts[(int)role] = Elements;
            Elements += store.Range(role).Count;
        }

        _buffer = Elements > 0 ? store.Backend.Allocate(Elements * Type.Size()) : null;
    }

    /// <summary>The tensor's name in a checkpoint.</summary>
    public string Name { get; }

    /// <summary>Elements of all its roles, padding included; 0 where the store has no parameters of them.</summary>
    public long Elements { get; }

    /// <summary>The parameters' type.</summary>
    public DType Type { get; }

    internal long Bytes => _buffer?.Bytes ?? 0;

    /// <summary>Whether parameters of a role have it.</summary>
    public bool Has(ParameterRole role) => _starts[(int)role] >= 0;

    /// <summary>All of it: enumerated it gives pieces that a vector may have.</summary>
    public ElementRange All => new(0, Elements);

    /// <summary>Some of it, as a vector.</summary>
    public View View(ElementRange elements) => new(_buffer!, elements.Start, Layout.Of(checked((int)elements.Count)), Type);

    /// <summary>From an element on as much as one vector may have.</summary>
    internal View Piece(long start) => View(new ElementRange(start, Math.Min(Elements, start + ElementRange.MostInPiece)));

    internal long StartOf(ParameterRole role) => Has(role)
        ? _starts[(int)role]
        : throw new InvalidOperationException($"optimizer: parameters of role {role} have no slot '{Name}'");

    public void Dispose() => _buffer?.Dispose();
}
