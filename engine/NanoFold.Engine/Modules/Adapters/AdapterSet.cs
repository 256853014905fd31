using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules.Adapters;

/// <summary>The adapters of a model that is being declared: of those that mean a layer the first is put around it.</summary>
/// <param name="adapters">As the configuration lists them.</param>
/// <param name="path">Where they stand in it.</param>
public sealed class AdapterSet(IReadOnlyList<AdapterConfig> adapters, string path = "model.adapters")
{
    private readonly bool[][] _matched = [.. adapters.Select(adapter => new bool[adapter.Targets.Count])];
    private readonly bool[][] _excluded = [.. adapters.Select(adapter => new bool[adapter.Exclude.Count])];
    private readonly bool[] _used = new bool[adapters.Count];
    private readonly List<string> _layers = [];
    private readonly List<string> _names = [];
    private readonly HashSet<string> _declared = [];
    private readonly List<AdaptedLayer> _adapted = [];

    /// <summary>The parameters that the adapters have declared: those that are trained where nothing else is said.</summary>
    public NameGlobs Names => new(path, _names);

    /// <summary>The layers that have an adapter around them, in the order in which they were declared.</summary>
    internal IReadOnlyList<AdaptedLayer> Layers => _adapted;

    /// <summary>Throws where a target or an exception met none of the layers, or an adapter got none; to be called when all are declared.</summary>
    /// <exception cref="ConfigException">Each of these, with the layer that may have been meant.</exception>
    public void RequireMatches()
    {
        var problems = new List<ConfigProblem>();
        for (int i = 0; i < adapters.Count; i++)
        {
            string own = ConfigKeys.Join(path, i.ToString(CultureInfo.InvariantCulture));
            problems.AddRange(Unmatched($"{own}.targets", adapters[i].Targets, _matched[i]));
            problems.AddRange(Unmatched($"{own}.exclude", adapters[i].Exclude, _excluded[i]));
            if (!_used[i] && problems.Count == 0)
            {
                problems.Add(new ConfigProblem(own, "is put around no layer: what it names is excluded or has an adapter that stands before it"));
            }
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    /// <summary>The adapter that a layer gets, or null.</summary>
    /// <param name="name">The layer's full name.</param>
    /// <param name="isLinear">Whether <see cref="AdapterConfig.AllLinear"/> means it: neither the model's head nor the vectors of tokens.</param>
    /// <param name="isListed">Whether messages name it among the layers that there are.</param>
    internal AdapterConfig? For(string name, bool isLinear = true, bool isListed = true)
    {
        if (isListed)
        {
            _layers.Add(name);
        }

        AdapterConfig? found = null;
        for (int i = 0; i < adapters.Count; i++)
        {
            bool isTarget = Mark(_matched[i], adapters[i].Targets, name, isLinear);
            bool isExcluded = Mark(_excluded[i], adapters[i].Exclude, name, isLinear);
            if (isTarget && !isExcluded && found is null)
            {
                found = adapters[i];
                _used[i] = true;
            }
        }

        return found;
    }

    /// <summary>Whether the adapters have declared a tensor, a parameter or state.</summary>
    internal bool Has(string name) => _declared.Contains(name);

    internal void Add(AdaptedLayer layer) => _adapted.Add(layer);

    internal void Add(StoredTensor tensor)
    {
        _declared.Add(tensor.Name);
        if (tensor is Parameter)
        {
            _names.Add(tensor.Name);
        }
    }

    private static bool Mark(bool[] matched, IReadOnlyList<string> targets, string name, bool isLinear)
    {
        bool isAny = false;
        for (int i = 0; i < targets.Count; i++)
        {
            bool means = targets[i] == AdapterConfig.AllLinear ? isLinear : AdapterConfig.Means(targets[i], name);
            matched[i] |= means;
            isAny |= means;
        }

        return isAny;
    }

    private IEnumerable<ConfigProblem> Unmatched(string key, IReadOnlyList<string> targets, bool[] matched)
    {
        for (int i = 0; i < targets.Count; i++)
        {
            if (!matched[i])
            {
                string[] ends = [.. _layers.Select(layer => layer[(layer.LastIndexOf('.') + 1)..]).Distinct()];
                string meant = NearestName.Among(targets[i], ends.Concat(_layers)) is { } near
                    ? $"did you mean {near}?"
                    : ends.Length == 0 ? "the model has no linear layers" : $"there are {string.Join(", ", ends)}";
                yield return new ConfigProblem(ConfigKeys.Join(key, i.ToString(CultureInfo.InvariantCulture)), $"\"{targets[i]}\" is no linear layer of the model; {meant}");
            }
        }
    }
}
