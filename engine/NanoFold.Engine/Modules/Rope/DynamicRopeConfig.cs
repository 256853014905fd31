using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Modules;

/// <summary>
/// Dynamic NTK: beyond the length of training the base grows with the length T of the text, base · (factor · T / original − (factor − 1))^(R / (R − 2)). One value for a whole
/// text in training and of a prompt; while decoding, of what there is, where keys stay turned as they were.
/// </summary>
public sealed record DynamicRopeConfig : StretchedRopeConfig
{
    /// <inheritdoc/>
    public override (int First, int Last) ChangingLengths(int context) => (Original, Math.Max(Original, context));

    /// <inheritdoc/>
    public override double[] Frequencies(RopeAngles angles, int length)
    {
        if (length <= Original)
        {
            return angles.Frequencies;
        }

        double grown = (Factor * length / Original) - (Factor - 1);
        return RopeTable.Frequencies(angles.Width, angles.Base * PortableMath.Pow(grown, angles.Width / (angles.Width - 2.0)));
    }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(RopeAngles angles, string path)
    {
        foreach (ConfigProblem problem in base.Validate(angles, path))
        {
            yield return problem;
        }

        if (angles.Width == 2)
        {
            yield return new ConfigProblem($"{path}.kind", "\"dynamic\" needs more than 2 elements of a head that positions turn");
        }
    }
}
