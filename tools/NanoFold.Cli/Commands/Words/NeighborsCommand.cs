using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Words;

/// <summary><c>neighbors</c>: the tokens nearest to a word, analogies, and whether relations are directions.</summary>
internal static class NeighborsCommand
{
    public static void Build(VerbCommand command)
    {
        var words = new Argument<string[]>("WORD") { Description = "Words whose nearest tokens are shown", Arity = ArgumentArity.ZeroOrMore };
        command.Add(words);
        var text = new TextChoices(command, 16_384);
        Option<string?> at = command.Text("--at", "PLACES", "embedding, head or numbers of layers, with commas, or all; embedding and the last layer if not given. Of a layer a token's vector is the mean over the text");
        Option<string[]> analogies = command.Texts("--analogy", "'A B C'", "Three words: what is to C as B is to A; may be given several times");
        Option<string?> relations = command.Text("--relations", "FILE", "Lines with the name of a relation and two words that it joins, tabs between them: is each relation one direction?");
        Option<long?> top = command.Integer("--top", "Tokens that are shown; 8 if not given", 1, 1000);
        command.Common = [CommonOptions.Device, CommonOptions.Threads, CommonOptions.Seed];
        command.JsonKeys = "places [{at, tokens (that have a vector), words [{word, tokens, nearest [{token, text, cosine}]}], analogies [{words, nearest}], relations [{relation, pairs, consistency, consistencyByChance, analogies, analogiesWithoutOffset}]}]";
        command.Does(invocation => Run(
            invocation, text, invocation.Get(words) ?? [], invocation.Get(at), [.. (invocation.Get(analogies) ?? []).Select(AnalogyOf)], invocation.Get(relations), (int)(invocation.Get(top) ?? 8)));
    }

    private static string[] AnalogyOf(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _] words
        ? words
        : throw UserException.Usage($"--analogy '{text}': expected three words with spaces between them");

    private static int Run(Invocation invocation, TextChoices text, string[] words, string? at, string[][] analogies, string? relations, int top)
    {
        string path = text.Model(invocation);
        if (words.Length + analogies.Length == 0 && relations is null)
        {
            throw UserException.Usage("nothing to show: name words, --analogy or --relations");
        }

        IReadOnlyList<(string Name, string A, string B)> pairs = relations is null ? [] : RelationFile.Read(relations);
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        string[] places = PlacesOf(at, WordPlaces.Of(trained.Model));
        using SampleText sample = text.Open(invocation, trained);
        (string Word, int[] Tokens)[] asked = [.. words.Select(word => (word, sample.WordOf(word)))];
        int[][][] threes = [.. analogies.Select(three => (int[][])[.. three.Select(sample.WordOf)])];
        var results = new JsonArray();
        foreach (string place in places)
        {
            invocation.Interrupt.Token.ThrowIfCancellationRequested();
            TokenVectors vectors = WordPlaces.Vectors(trained.Model, place, sample.Rows);
            invocation.Output.Line($"{(place is WordPlaces.Embedding or WordPlaces.Head ? place : $"layer {place}, mean over {sample.Name}")}: {Display.Count(vectors.Count)} tokens, mean taken off");
            var json = new JsonObject { ["at"] = place, ["tokens"] = vectors.Count };
            json["words"] = Words(invocation.Output, sample, vectors, asked, top);
            json["analogies"] = Analogies(invocation.Output, sample, vectors, analogies, threes, top);
            json["relations"] = Relations(invocation.Output, sample, vectors, pairs, (ulong)(invocation.Seed ?? 1));
            results.Add(json);
            invocation.Output.Line();
        }

        invocation.Output.Result(new JsonObject { ["places"] = results });
        return Faults.Done;
    }

    private static string[] PlacesOf(string? given, IReadOnlyList<string> known)
    {
        string[] places = given switch
        {
            null => [WordPlaces.Embedding, known.Last(place => place != WordPlaces.Head)],
            "all" => [.. known],
            _ => given.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
        return places.FirstOrDefault(place => !known.Contains(place)) is { } wrong
            ? throw UserException.Usage($"--at {wrong}: the model has {string.Join(", ", known)}{(wrong == WordPlaces.Head ? " (its head is the embedding)" : "")}")
            : places;
    }

    private static JsonArray Words(Output output, SampleText sample, TokenVectors vectors, (string Word, int[] Tokens)[] asked, int top)
    {
        var results = new JsonArray();
        foreach ((string word, int[] tokens) in asked)
        {
            IReadOnlyList<NearToken> near = Array.TrueForAll(tokens, vectors.Has) ? vectors.Nearest(vectors.Of(tokens), top, tokens.ToHashSet()) : [];
            output.Line($"  {word}{(tokens.Length > 1 ? $" ({tokens.Length} tokens)" : "")}: {Told(sample, near)}");
            results.Add(new JsonObject { ["word"] = word, ["tokens"] = Numbers(tokens), ["nearest"] = ToJson(sample, near) });
        }

        return results;
    }

    private static JsonArray Analogies(Output output, SampleText sample, TokenVectors vectors, string[][] words, int[][][] threes, int top)
    {
        var results = new JsonArray();
        for (int i = 0; i < threes.Length; i++)
        {
            float[][] of = [.. threes[i].Select(tokens => vectors.Of(tokens))];
            float[] target = [.. of[0].Select((a, k) => of[1][k] - a + of[2][k])];
            HashSet<int> given = [.. threes[i].SelectMany(tokens => tokens)];
            IReadOnlyList<NearToken> near = given.All(vectors.Has) ? vectors.Nearest(target, top, given) : [];
            output.Line($"  {words[i][0]} : {words[i][1]} = {words[i][2]} : {Told(sample, near)}");
            results.Add(new JsonObject { ["words"] = new JsonArray([.. words[i].Select(word => (JsonNode)word)]), ["nearest"] = ToJson(sample, near) });
        }

        return results;
    }

    // Words of several tokens are vectors of their own, after those of the vocabulary.
    private static JsonArray Relations(Output output, SampleText sample, TokenVectors vectors, IReadOnlyList<(string Name, string A, string B)> pairs, ulong seed)
    {
        var results = new JsonArray();
        List<string[]> rows = [["relation", "pairs", "consistency", "shuffled", "analogies", "without"]];
        foreach (IGrouping<string, (string Name, string A, string B)> relation in pairs.GroupBy(pair => pair.Name))
        {
            List<float> values = [.. vectors.Values];
            var numbers = new Dictionary<string, int>();
            int NumberOf(string word)
            {
                if (!numbers.TryGetValue(word, out int number))
                {
                    int[] tokens = sample.WordOf(word);
                    number = !Array.TrueForAll(tokens, vectors.Has) ? -1 : tokens.Length == 1 ? tokens[0] : values.Count / vectors.Width;
                    if (tokens.Length > 1 && number >= 0)
                    {
                        values.AddRange(vectors.Of(tokens));
                    }

                    numbers[word] = number;
                }

                return number;
            }

            (int A, int B)[] of = [.. relation.Select(pair => (NumberOf(pair.A), NumberOf(pair.B))).Where(pair => pair.Item1 >= 0 && pair.Item2 >= 0)];
            RelationOffsets found = RelationOffsets.Measure([.. values], vectors.Width, of, seed);
            rows.Add([relation.Key, Display.Count(of.Length), Shown(found.Consistency), Shown(found.ConsistencyByChance), Shown(found.Analogies), Shown(found.AnalogiesWithoutOffset)]);
            results.Add(new JsonObject
            {
                ["relation"] = relation.Key,
                ["pairs"] = of.Length,
                ["consistency"] = found.Consistency,
                ["consistencyByChance"] = found.ConsistencyByChance,
                ["analogies"] = found.Analogies,
                ["analogiesWithoutOffset"] = found.AnalogiesWithoutOffset,
            });
        }

        if (rows.Count > 1)
        {
            output.Table(numbers: true, rows);
        }

        return results;
    }

    private static string Shown(double? value) => value is { } number && double.IsFinite(number) ? Display.Number(number, "0.00") : "–";

    private static string Told(SampleText sample, IReadOnlyList<NearToken> near) => near.Count == 0
        ? "not in the text"
        : string.Join(", ", near.Select(one => $"{sample.Read(one.Token)} {Display.Number(one.Cosine, "0.00")}"));

    private static JsonArray ToJson(SampleText sample, IReadOnlyList<NearToken> near) =>
        new([.. near.Select(one => (JsonNode)new JsonObject { ["token"] = one.Token, ["text"] = sample.Read(one.Token), ["cosine"] = one.Cosine })]);

    private static JsonArray Numbers(IEnumerable<int> numbers) => new([.. numbers.Select(number => (JsonNode)number)]);
}
