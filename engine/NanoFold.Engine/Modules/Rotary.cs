using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>Rotary positions over the first elements of each head, see <see cref="RopeOp"/>; their pairing is the model's.</summary>
public sealed class Rotary
{
    private readonly ModuleBuilder _builder;
    private readonly RopeAngles _angles;
    private readonly RopeScalingConfig _scaling;
    private readonly string _name;
    private readonly Table? _fixed;
    private readonly Table? _turns;

    /// <summary>With the model's base and scaling.</summary>
    /// <param name="builder">Where tables are; modules that turn alike share them.</param>
    /// <param name="width">R, the elements that are turned: even, at most the head's.</param>
    public Rotary(ModuleBuilder builder, int width)
        : this(builder, width, builder.Model.RopeBase, builder.Model.RopeScaling)
    {
    }

    /// <param name="builder">Where tables are; modules that turn alike share them.</param>
    /// <param name="width">R, the elements that are turned: even, at most the head's.</param>
    /// <param name="ropeBase">Of the angles.</param>
    /// <param name="scaling">Of the angles.</param>
    public Rotary(ModuleBuilder builder, int width, double ropeBase, RopeScalingConfig scaling)
    {
        (_builder, _scaling) = (builder, scaling);
        _angles = new RopeAngles(ropeBase, width, builder.Model.Context);
        _name = FormattableString.Invariant($"rope {width} base {ropeBase:r}")
            + (scaling is NoRopeScalingConfig ? "" : $" {ConfigWriter.ToTree(scaling, typeof(RopeScalingConfig))!.ToJsonString()}");
        if (DependsOnLength)
        {
            _turns = builder.Table($"{_name} turns", Layout.Of(Last - First + 1, width), () => [.. Enumerable.Range(First, Last - First + 1).SelectMany(length => RopeTable.Turns(scaling.Frequencies(_angles, length)))]);
        }
        else
        {
            _fixed = TableFor(_angles.Context);
        }
    }

    // Lengths up to First have the same frequencies, those from Last on others.
    private int First => _scaling.ChangingLengths(_angles.Context).First;

    private int Last => _scaling.ChangingLengths(_angles.Context).Last;

    private bool DependsOnLength => First < Last;

    /// <summary>x [B, T, H, D], each head turned by its token's position, from its element <paramref name="start"/> on.</summary>
    public Tensor Forward(ForwardContext context, Tensor x, int start = 0)
    {
        Tape tape = context.Tape;
        bool interleaved = _builder.Model.RopeInterleaved;
        if (context.IsDecoding && _turns is not null)
        {
            // A table with a row for each token, as if they all were one text's.
            Tensor rows = context.Once(_name, () => RopeRowsOp.Record(tape, tape.Use(_turns), context.Positions, context.Lengths, context.Time, First, _scaling.FactorOn));
            int[] shape = x.Layout.ToShape();
            return RopeOp.Record(tape, BroadcastOp.Contiguous(tape, x).Reshape(1, shape[0] * shape[1], shape[2], shape[3]), rows, default, interleaved, start).Reshape(shape);
        }

        return RopeOp.Record(tape, x, tape.Use(_fixed ?? TableFor(context.Time)), context.Positions, interleaved, start);
    }

    /// <summary>What <see cref="Forward"/> turns by from a head's first element on, not while decoding: for products that turn their results.</summary>
    internal RotaryPositions PositionsOf(ForwardContext context) => new(context.Tape.Use(_fixed ?? TableFor(context.Time)), context.Positions, _builder.Model.RopeInterleaved);

    // Of texts of a length, and of shorter ones with the same frequencies; of all where it decides nothing.
    private Table TableFor(int length)
    {
        int of = Math.Clamp(length, First, Last), positions = of < Last ? of : _angles.Context;
        return _builder.Table(
            DependsOnLength ? $"{_name} length {of}" : _name,
            Layout.Of(positions, _angles.Width),
            () => RopeTable.Compute(positions, _scaling.Frequencies(_angles, of), _scaling.FactorOn));
    }
}
