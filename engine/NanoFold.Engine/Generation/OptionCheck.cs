using System.Globalization;
using System.Reflection;
using System.Text.Json;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Generation;

/// <summary>Options that did not come through a configuration file are held to the same bounds.</summary>
internal static class OptionCheck
{
    private const string Section = "generation";

    /// <exception cref="ConfigException">Names every option that is out of its range, and the range.</exception>
    public static void Validate(GenerationConfig options, int context = int.MaxValue)
    {
        var problems = new List<ConfigProblem>();
        foreach (PropertyInfo property in typeof(GenerationConfig).GetProperties())
        {
            if (property.GetCustomAttribute<BoundsAttribute>() is not { } bounds)
            {
                continue;
            }

            double value = Convert.ToDouble(property.GetValue(options), CultureInfo.InvariantCulture);
            if (!bounds.Contain(value))
            {
                string path = $"{Section}.{JsonNamingPolicy.CamelCase.ConvertName(property.Name)}";
                problems.Add(new ConfigProblem(path, FormattableString.Invariant($"expected a number of {bounds}, got {value:R}")));
            }
        }

        problems.AddRange(options.Validate(Section, context));
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }
}
