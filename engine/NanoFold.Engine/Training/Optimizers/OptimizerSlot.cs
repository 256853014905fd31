using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// What an optimizer remembers of each element of some roles from step to step, such as a moment: one number each, 0 at first, in the order of the store.
/// Checkpoints have it under its name.
/// </summary>
public sealed class OptimizerSlot : IDisposable
{
    private readonly DType _type;
    private readonly DeviceBuffer? _buffer;

    // Where a role begins, by role; -1 where it has none.
    private readonly long[] _starts;

    internal OptimizerSlot(ParameterStore store, string name, IEnumerable<ParameterRole> roles)
    {
        Name = name;
        _type = store.Type;
        _starts = new long[Enum.GetValues<ParameterRole>().Length];
        Array.Fill(_starts, -1);
        foreach (ParameterRole role in roles.Order())
        {
            (long start, long end) = store.Range(role);
            _starts[(int)role] = Elements;
            Elements += end - start;
        }

        _buffer = Elements > 0 ? store.Backend.Allocate(Elements * _type.Size()) : null;
    }

    /// <summary>The tensor's name in a checkpoint.</summary>
    public string Name { get; }

    /// <summary>Elements of all its roles, padding included; 0 where the store has no parameters of them.</summary>
    public long Elements { get; }

    internal long Bytes => _buffer?.Bytes ?? 0;

    /// <summary>Whether parameters of a role have it.</summary>
    public bool Has(ParameterRole role) => _starts[(int)role] >= 0;

    /// <summary>A piece of it, from an element on.</summary>
    public View View(long start, long elements) => new(_buffer!, start, Layout.Of(checked((int)elements)), _type);

    internal View View(ParameterRole role, long offset, long elements) => Has(role)
        ? View(_starts[(int)role] + offset, elements)
        : throw new InvalidOperationException($"optimizer: parameters of role {role} have no slot '{Name}'");

    public void Dispose() => _buffer?.Dispose();
}
