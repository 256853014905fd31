using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What is wrong with a comparison, gathered so that all of it is told at once.</summary>
/// <param name="file">The comparison, every point of its grid a variant.</param>
internal sealed class PlanProblems(ComparisonFile file)
{
    /// <summary>So far.</summary>
    public List<ConfigProblem> All { get; } = [];

    /// <summary>Builds something; null where that has problems. What a variant has of them besides those of the base is told with its name.</summary>
    /// <param name="variant">Whose; null for the base.</param>
    /// <param name="build">Builds it.</param>
    /// <param name="known">Problems that are told already.</param>
    public T? Try<T>(string? variant, Func<T> build, params IReadOnlyList<ConfigProblem> known)
        where T : class
    {
        try
        {
            return build();
        }
        catch (ConfigException e)
        {
            All.AddRange(e.Problems.Where(problem => !known.Contains(problem)).Select(problem => variant is null ? problem : VariantGrid.Named(file, variant, problem)));
            return null;
        }
    }

    /// <summary>Ends the planning where there are any.</summary>
    /// <exception cref="ConfigException">There are.</exception>
    public void ThrowAny()
    {
        if (All.Count > 0)
        {
            throw new ConfigException([.. All.Distinct()]);
        }
    }
}
