using System.Text.Json.Nodes;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>The folder of a grid. The same grid goes on in it; one with more sizes, tokens or seeds takes what is there and adds to it; any other is refused.</summary>
public static class ScalingFolder
{
    /// <inheritdoc cref="SetFolder.Take"/>
    public static void Take(string folder, ScalingGrid grid) => SetFolder.Take(folder, FileOf(grid));

    /// <inheritdoc cref="SetFolder.TakeUnused"/>
    public static string TakeUnused(string path, ScalingGrid grid) => SetFolder.TakeUnused(path, FileOf(grid));

    /// <summary>What <see cref="SetFolder"/> asks of a grid.</summary>
    public static SetFile FileOf(ScalingGrid grid) => new(ScalingGrid.FileName, "grid", grid.ToJson(), folder =>
    {
        var begun = ScalingGrid.Load(folder);
        string[] others = [.. Differences(begun, grid)];
        return others.Length > 0
            ? others
            : MovedText.Differences(folder, begun.Sizes.Select(size => (begun.Cells().Where(cell => cell.Size == size).Select(cell => cell.Name), size.Resolve(), grid.Sizes.First(other => other.Name == size.Name).Resolve())));
    });

    /// <summary>Makes a folder where there is none.</summary>
    /// <exception cref="UserException">It cannot be made.</exception>
    public static void Create(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot create", folder, e);
        }
    }

    /// <summary>What a grid that was begun has and another one does not, in words. Where a text is makes no difference.</summary>
    internal static IEnumerable<string> Differences(ScalingGrid begun, ScalingGrid asked)
    {
        foreach (ScalingSize size in begun.Sizes)
        {
            if (asked.Sizes.FirstOrDefault(other => other.Name == size.Name) is not { } other)
            {
                yield return $"size {size.Name}";
            }
            else if (!JsonNode.DeepEquals(Recipe(size, other), Recipe(other, size)))
            {
                yield return $"other settings of {size.Name}";
            }
        }

        if (begun.Tokens.Except(asked.Tokens).Any())
        {
            yield return $"tokens {string.Join(",", begun.Tokens)}";
        }

        if (begun.Seeds.Except(asked.Seeds).Any())
        {
            yield return $"seeds {string.Join(",", begun.Seeds)}";
        }
    }

    // Tokens and seed are each run's own.
    private static JsonObject Recipe(ScalingSize size, ScalingSize other)
    {
        var tree = (JsonObject)size.Settings.Tree.DeepClone();
        var train = (JsonObject)tree["train"]!;
        train.Remove("tokens");
        train.Remove("seed");
        if (tree["data"] is JsonObject data)
        {
            foreach (string key in new[] { "path", "validation" }.Where(key => MovedText.IsPlace($"data.{key}", data[key], other.Settings.Tree["data"]?[key])))
            {
                data.Remove(key);
            }
        }

        return tree;
    }
}
