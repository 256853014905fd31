using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments.Coordinates;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>The folder of a grid. The same grid goes on in it; one with more sizes, tokens or seeds takes what is there and adds to it; any other is refused.</summary>
public static class ScalingFolder
{
    /// <summary>Writes the grid into a folder, where it goes on from then on.</summary>
    /// <exception cref="UserException">The folder holds another one, or cannot be written.</exception>
    public static void Take(string folder, ScalingGrid grid)
    {
        // Looked at before the grid is looked for: another shard that begins in this moment writes its grid first.
        string? other = Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).FirstOrDefault(IsForeign) : null;
        bool isBegun = File.Exists(Path.Combine(folder, ScalingGrid.FileName));
        if (!isBegun && other is not null)
        {
            throw new UserException($"{folder}: is not empty and holds no grid; name another folder with --out");
        }

        if (isBegun)
        {
            RequireSame(folder, grid);
        }

        Create(folder);
        OutputFile.Write(Path.Combine(folder, ScalingGrid.FileName), stream => stream.Write(Encoding.UTF8.GetBytes(grid.ToJson())));
        RequireSame(folder, grid);
    }

    private static void RequireSame(string folder, ScalingGrid grid)
    {
        string[] others = [.. Differences(ScalingGrid.Load(folder), grid)];
        if (others.Length > 0)
        {
            throw new UserException($"{folder}: holds another grid, with {string.Join(", ", others)}; give that, or name another folder with --out");
        }
    }

    // Neither a coordinate check nor a file that is being written: both may be there before a grid is.
    private static bool IsForeign(string? name) => name != CoordinateCheck.FileName && name?.Contains(".tmp-", StringComparison.Ordinal) == false;

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

    /// <summary>The first folder of a name, its name followed by a number if need be, that is not there or holds this grid.</summary>
    public static string Unused(string path, ScalingGrid grid)
    {
        for (int i = 1; ; i++)
        {
            string folder = i == 1 ? path : FormattableString.Invariant($"{path}-{i}");
            if (!Path.Exists(folder) || (File.Exists(Path.Combine(folder, ScalingGrid.FileName)) && !Differences(ScalingGrid.Load(folder), grid).Any()))
            {
                return folder;
            }
        }
    }

    /// <summary>What a grid that was begun has and another one does not, in words.</summary>
    internal static IEnumerable<string> Differences(ScalingGrid begun, ScalingGrid asked)
    {
        foreach (ScalingSize size in begun.Sizes)
        {
            if (asked.Sizes.FirstOrDefault(other => other.Name == size.Name) is not { } other)
            {
                yield return $"size {size.Name}";
            }
            else if (!JsonNode.DeepEquals(Recipe(size), Recipe(other)))
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
    private static JsonObject Recipe(ScalingSize size)
    {
        var tree = (JsonObject)size.Settings.Tree.DeepClone();
        var train = (JsonObject)tree["train"]!;
        train.Remove("tokens");
        train.Remove("seed");
        return tree;
    }
}
