using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Topology;

namespace NanoFold.Tests.Geometry.Topology;

/// <summary>Persistent homology in dimension 1 by reducing the whole boundary matrix, column by column from the left, as it is defined.</summary>
internal static class PlainHomology
{
    public static IEnumerable<PersistentLoop> Loops(PairDistances distances)
    {
        int n = distances.Count;
        (int[] Vertices, double Length)[] simplices =
        [
            .. Subsets(n, 1).Concat(Subsets(n, 2)).Concat(Subsets(n, 3)).Select(vertices => (vertices, Diameter(distances, vertices)))
                .OrderBy(s => s.Item2).ThenBy(s => s.vertices.Length),
        ];
        Dictionary<string, int> numbers = simplices.Select((s, i) => (Key(s.Vertices), i)).ToDictionary(p => p.Item1, p => p.i);
        var columns = new SortedSet<int>[simplices.Length];
        var owners = new Dictionary<int, int>();
        for (int j = 0; j < columns.Length; j++)
        {
            int[] vertices = simplices[j].Vertices;
            columns[j] = vertices.Length == 1 ? [] : [.. vertices.Select((_, out_) => numbers[Key([.. vertices.Where((_, i) => i != out_)])])];
            while (columns[j].Count > 0 && owners.TryGetValue(columns[j].Max, out int owner))
            {
                columns[j].SymmetricExceptWith(columns[owner]);
            }

            if (columns[j].Count > 0)
            {
                owners.Add(columns[j].Max, j);
                if (vertices.Length == 3 && simplices[j].Length > simplices[columns[j].Max].Length)
                {
                    yield return new PersistentLoop(simplices[columns[j].Max].Length, simplices[j].Length);
                }
            }
        }
    }

    private static IEnumerable<int[]> Subsets(int n, int size) =>
        size == 0 ? [[]] : Subsets(n, size - 1).SelectMany(s => Enumerable.Range(s.Length == 0 ? 0 : s[^1] + 1, n - (s.Length == 0 ? 0 : s[^1] + 1)).Select(v => (int[])[.. s, v]));

    private static double Diameter(PairDistances distances, int[] vertices) =>
        vertices.SelectMany((a, i) => vertices.Skip(i + 1).Select(b => distances[a, b])).DefaultIfEmpty().Max();

    private static string Key(int[] vertices) => string.Join(',', vertices);
}
