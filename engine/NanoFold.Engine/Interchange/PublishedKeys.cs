using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange;

/// <summary>A configuration in the keys of transformers: as it stands in a file, or as another format says the same.</summary>
/// <param name="Path">The file, for messages.</param>
/// <param name="Tree">The keys.</param>
internal sealed record PublishedKeys(string Path, JsonObject Tree)
{
    private const string LongestKey = "max_position_embeddings";

    /// <summary>The architecture that they name, the model of ours that they mean, resolved, and the keys with what was asked for.</summary>
    /// <param name="context">Tokens that a sequence is to have at most; null for what they say.</param>
    /// <exception cref="UserException">They name none that is supported, or make no model here; names every problem.</exception>
    public (Architecture Architecture, ModelConfig Config, ForeignConfig Keys) Read(int? context = null)
    {
        var keys = new ForeignConfig(Path, Tree) { Context = context };
        Architecture architecture = Architecture.Of(keys);
        return (architecture, Checked(architecture.Read(keys)), keys);
    }

    /// <summary>What is left out where the model reads more tokens than its context is here, with how to ask for them; empty where it does not.</summary>
    /// <param name="keys">Those of <see cref="Read"/>.</param>
    /// <param name="config">The model of <see cref="Read"/>.</param>
    /// <param name="name">What the file calls the number of tokens.</param>
    public static IEnumerable<string> LeftContext(ForeignConfig keys, ModelConfig config, string name = LongestKey) =>
        keys.Integer(LongestKey, 0) is var longest && longest > config.Context ? [$"{name} = {longest} (model.context is {config.Context}; import --context sets it)"] : [];

    private ModelConfig Checked(ModelConfig config)
    {
        List<ConfigProblem> problems = [];
        try
        {
            ModelConfig resolved = config.Resolve();
            var tree = (JsonObject)ConfigWriter.ToTree(resolved, typeof(ModelConfig))!;
            _ = new ConfigReader(typeof(ModelConfig), problems).Read(tree, new ModelConfig());
            problems = [.. problems.Count == 0 ? resolved.Validate("model") : problems.Select(problem => problem with { Path = $"model.{problem.Path}" })];
            if (problems.Count == 0)
            {
                return resolved;
            }
        }
        catch (Exception e) when (e is ArithmeticException)
        {
            throw new UserException($"{Path}: its sizes make no model: {e.Message}", e);
        }

        throw new UserException($"{Path}: makes no model here: {string.Join("; ", problems.Select(problem => $"{problem.Path}: {problem.Message}"))}");
    }
}
