/**
 * Where the recipe finds a server: at DATABASE_URL, or one of its own that lives as long as the run, in a temporary
 * folder. In a program of yours there is the URL, and nothing of this.
 *
 * All happens in a schema of its own, which is dropped in the end: the tables at DATABASE_URL are not ours.
 */
import { Client, type ClientConfig } from 'pg'
import { postgresBin, startPostgres } from '../../test/io/postgres-server.ts'

export interface Shop extends AsyncDisposable {
  readonly connection: string | ClientConfig
  readonly schema: string
  /** For the statements that are no pipelines. */
  readonly client: Client
}

export async function openShop(): Promise<Shop> {
  const server = await findServer()
  const { connection } = server
  const schema = `sluice_recipe_${process.pid}`
  const client = new Client(connection)
  await client.connect()
  await client.query(`CREATE SCHEMA ${schema}`)
  return {
    connection,
    schema,
    client,
    async [Symbol.asyncDispose]() {
      await client.query(`DROP SCHEMA ${schema} CASCADE`)
      await client.end()
      await server.end()
    },
  }
}

/** Where there is none, that is said, and the program ends well: it has nothing to show, but nothing is wrong. */
async function findServer(): Promise<{ connection: string | ClientConfig; end: () => PromiseLike<void> }> {
  const url = process.env.DATABASE_URL
  if (url !== undefined && url !== '') return { connection: url, end: async () => {} }
  if (postgresBin === undefined) {
    console.log(
      'No Postgres here: name one in DATABASE_URL, or install it (Debian: apt-get install postgresql)',
    )
    process.exit(0)
  }
  const server = await startPostgres()
  return { connection: server.socket, end: () => server[Symbol.asyncDispose]() }
}
