namespace NanoFold.Engine.Configuration;

/// <summary>Which file and line each setting came from, as layers are laid over each other.</summary>
internal sealed class ConfigPlaces
{
    // Null where a single setting took the file's place.
    private readonly Dictionary<string, string?> _places = [];

    /// <summary>Notes every key of a file.</summary>
    /// <param name="json">Its text.</param>
    /// <param name="source">Its name.</param>
    public void AddFile(string json, string source)
    {
        foreach ((string key, int line) in ConfigLines.Of(json))
        {
            _places[key] = FormattableString.Invariant($"{source}:{line}");
        }
    }

    /// <summary>A key, with all below it, is set by something that has no lines.</summary>
    public void Forget(string key)
    {
        foreach (string below in _places.Keys.Where(place => place.StartsWith($"{key}.", StringComparison.Ordinal)).ToList())
        {
            _places.Remove(below);
        }

        _places[key] = null;
    }

    /// <summary>Takes the places of settings that are laid over those before them.</summary>
    public void Add(ConfigPlaces places)
    {
        foreach ((string key, string? place) in places._places)
        {
            _places[key] = place;
        }
    }

    /// <summary>The places of all below a key, named from there.</summary>
    public ConfigPlaces Below(string key)
    {
        var below = new ConfigPlaces();
        foreach ((string path, string? place) in _places.Where(pair => pair.Key.StartsWith($"{key}.", StringComparison.Ordinal)))
        {
            below._places[path[(key.Length + 1)..]] = place;
        }

        return below;
    }

    /// <summary>The places of a key and of all below it, under another name.</summary>
    public ConfigPlaces At(string key, string name)
    {
        var renamed = new ConfigPlaces();
        foreach ((string path, string? place) in _places.Where(pair => pair.Key == key || pair.Key.StartsWith($"{key}.", StringComparison.Ordinal)))
        {
            renamed._places[name + path[key.Length..]] = place;
        }

        return renamed;
    }

    /// <summary>A problem with the place of its key, or of the record that it is in.</summary>
    public ConfigProblem Locate(ConfigProblem problem)
    {
        for (string key = problem.Path; ;)
        {
            if (_places.TryGetValue(key, out string? place))
            {
                return problem with { Place = place };
            }

            int dot = key.LastIndexOf('.');
            // A section's line says nothing of a key that is not in it.
            if (dot < 0 || !key[..dot].Contains('.'))
            {
                return problem;
            }

            key = key[..dot];
        }
    }
}
