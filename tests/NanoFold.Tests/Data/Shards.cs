using NanoFold.Engine.Data;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Data;

/// <summary>Writes small shards for tests.</summary>
internal static class Shards
{
    public static TokenShard Of(TempFolder folder, int vocab, bool marked, params int[][] documents)
    {
        string path = folder.At(Guid.NewGuid().ToString("N") + ".tokens");
        using (var writer = new TokenShardWriter(path, vocab, marked))
        {
            foreach (int[] document in documents)
            {
                writer.StartDocument();
                writer.Write(document);
            }

            writer.Commit(documents.Sum(document => document.Length));
        }

        return new TokenShard(path);
    }

    /// <summary>One document of the tokens 0, 1, … count − 1.</summary>
    public static TokenShard Counting(TempFolder folder, int count) =>
        Of(folder, Math.Max(1, count), marked: false, [.. Enumerable.Range(0, count)]);

    /// <summary>Every token.</summary>
    public static int[] All(TokenShard shard)
    {
        int[] tokens = new int[shard.Tokens];
        shard.Copy(0, tokens);
        return tokens;
    }
}
